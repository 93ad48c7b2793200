/**
 * The leader's ears: heartbeats, reports and requests of workers, questions of gateways.
 */
import {
  type ExplainQuery,
  type Explanation,
  type JobRef,
  type JobStatusRequest,
  type ListWorkersRequest,
  type ListWorkersResponse,
  type LiveTask,
  limits,
  type PoolQueue,
  type PrefetchQuery,
  type PrefetchReply,
  parseJobId,
  parsePoolId,
  parseProjectId,
  parseWorkerId,
  poolName,
  type QueueStatsQuery,
  type SchedulerQuery,
  type SchedulerReply,
  type WorkerQuery,
  type WorkerReply,
  type WorkGrant,
  type WorkRequest,
  workerName,
} from "@zfarm/contract";
import { readAsk, readReport } from "./check-message.ts";
import type { Decider } from "./decider.ts";
import type { SchedulerEvent } from "./domain/scheduler-event.ts";

/** Hears heartbeats, those of before the term too; the result ends it. */
export function hearBeats(decider: Decider): () => void {
  decider.recall();
  return decider.needs.ears.tell((beat) => decider.decide(beat));
}

/** Begins to answer; the result ends it. */
export function serveFarm(decider: Decider): () => void {
  const { link, queries } = decider.needs.broker;
  const ends = [
    link.serveReports((report) => take(decider, "report", readReport(report))),
    link.serveAsks((request, respond) => takeAsk(decider, request, respond)),
    queries.serve((query) => answerQuery(decider, query)),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function take(decider: Decider, message: string, event: SchedulerEvent | undefined): void {
  if (event === undefined) decider.needs.log.warn({ kind: message }, "unusable message ignored");
  else decider.decide(event);
}

/** The way to answer is kept first, since the answer may be decided at once. */
function takeAsk(
  decider: Decider,
  request: WorkRequest,
  respond: (grant: WorkGrant) => void,
): void {
  const ask = decider.writer.holdAsk(respond);
  const event = readAsk(request, ask);
  take(decider, "request for work", event);
  if (event === undefined) decider.writer.answer(ask);
}

/** Answers from the index alone, so a question costs no I/O; the epoch tells whose answer it is. */
function answerQuery(decider: Decider, { query }: SchedulerQuery): SchedulerReply {
  const { scheduler, epoch } = decider;
  switch (query?.$case) {
    case "listWorkers":
      return { epoch, reply: { $case: "listWorkers", value: listWorkers(scheduler, query.value) } };
    case "jobStatus": {
      const tasks = describeJob(scheduler, query.value);
      return { epoch, reply: { $case: "jobStatus", value: { tasks } } };
    }
    case "explain": {
      const explanations = explainJob(scheduler, query.value);
      return { epoch, reply: { $case: "explain", value: { explanations } } };
    }
    case "victims": {
      const pool = parsePoolId(query.value.pool);
      const victims = pool === undefined ? [] : scheduler.nameVictims(pool, query.value.count);
      return { epoch, reply: { $case: "victims", value: { victims } } };
    }
    case "projectStatus": {
      const project = parseProjectId(query.value.project);
      const none = { waiting: 0, running: 0 };
      const value = project === undefined ? none : scheduler.countProject(project);
      return { epoch, reply: { $case: "projectStatus", value } };
    }
    case "loraResidency": {
      const pool = parsePoolId(query.value.pool);
      const { digest } = query.value;
      const residences = pool === undefined ? [] : scheduler.residencesOf(pool, digest);
      return { epoch, reply: { $case: "loraResidency", value: { residences } } };
    }
    case "prefetch":
      return { epoch, reply: { $case: "prefetch", value: prefetch(decider, query.value) } };
    case "scaling": {
      const value = decider.needs.autoscaler?.report() ?? { actuator: "none", pools: [] };
      return { epoch, reply: { $case: "scaling", value } };
    }
    case "queueStats": {
      const value = { pools: describeQueues(scheduler, query.value) };
      return { epoch, reply: { $case: "queueStats", value } };
    }
    case "worker":
      return { epoch, reply: { $case: "worker", value: lookAtWorker(scheduler, query.value) } };
    case undefined:
      return { epoch, reply: undefined };
  }
}

/** The one question that also asks for something: harmless when repeated, and soon forgotten. */
function prefetch(decider: Decider, query: PrefetchQuery): PrefetchReply {
  const pool = parsePoolId(query.pool);
  const { lora: adapter, workers } = query;
  if (pool === undefined || adapter === undefined) return { workers: [], ready: 0 };
  const plan = decider.scheduler.planPrefetch(pool, adapter.digest, workers);
  decider.decide({ kind: "prefetch-asked", pool, adapter, workers });
  return { workers: plan.workers.map(workerName), ready: plan.ready };
}

/** A page of them: all workers of a large farm are more than one message of the broker holds. */
function listWorkers(
  scheduler: Decider["scheduler"],
  { pool, name, state, pageSize, pageToken: after = "" }: ListWorkersRequest,
): ListWorkersResponse {
  const size = Math.min(pageSize || limits.pageSizeMax, limits.pageSizeMax);
  const { workers, hasMore } = scheduler.pageOfWorkers({ pool, name, state, after, size });
  return { workers, nextPageToken: hasMore ? workers.at(-1)?.name : undefined };
}

/** The projects that matter most of each pool: all of them may be more than fit a message. */
function describeQueues(
  scheduler: Decider["scheduler"],
  { pool, projectsMax }: QueueStatsQuery,
): PoolQueue[] {
  const max = Math.min(projectsMax || limits.queueProjectsDefault, limits.queueProjectsMax);
  return scheduler
    .measureQueues()
    .filter(({ pool: name }) => pool === "" || name === poolName(pool))
    .map((queue) => ({ ...queue, projects: queue.projects.slice(0, max) }));
}

function lookAtWorker(scheduler: Decider["scheduler"], { worker }: WorkerQuery): WorkerReply {
  const id = parseWorkerId(worker);
  return id === undefined ? { tasks: [], adapters: [] } : scheduler.lookAtWorker(id);
}

/** A job that nobody can have has no live tasks. */
function describeJob(scheduler: Decider["scheduler"], request: JobStatusRequest): LiveTask[] {
  const job = readJob(request);
  return job === undefined ? [] : scheduler.describeJob(job);
}

function explainJob(scheduler: Decider["scheduler"], query: ExplainQuery): Explanation[] {
  const job = readJob(query);
  return job === undefined ? [] : scheduler.explain(job, query.index);
}

function readJob(named: { project: string; job: string }): JobRef | undefined {
  const project = parseProjectId(named.project);
  const job = parseJobId(named.job);
  return project === undefined || job === undefined ? undefined : { project, job };
}
