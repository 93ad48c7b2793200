/** What clients and operators want: of jobs, projects, pools and workers. */
import { type JobControl, taskIdOf, WorkerState } from "@zfarm/contract";
import { openAsk, shelveAsk } from "./ask-rules.ts";
import { type FarmState, jobKey } from "./farm-state.ts";
import { forgiveWorker } from "./health-rules.ts";
import type { JobEntry } from "./job-entry.ts";
import { refreshProject } from "./running-rules.ts";
import type { SchedulerEvent } from "./scheduler-event.ts";
import { isToDrain } from "./serving.ts";
import { checkFailureBudget } from "./task-rules.ts";
import { joinLine, leaveLine, regateJob, rehome, relane } from "./waiting-rules.ts";
import type { WorkerEntry } from "./worker-entry.ts";

type EventOf<Kind extends SchedulerEvent["kind"]> = Extract<SchedulerEvent, { kind: Kind }>;

/** A job's control record: pause, approval, priority, bounds. */
export function controlJob(state: FarmState, { control }: EventOf<"job-controlled">): void {
  const key = jobKey(taskIdOf({ ...control, index: 0 }));
  state.controls.set(key, control);
  const job = state.jobs.get(key);
  if (job === undefined) return;
  const sampleBefore = job.scheduling?.sampleTasks ?? 0;
  job.control = control;
  if (sampleBefore !== sampleOf(control)) splitSample(state, job);
  regateJob(state, job);
  for (const lot of job.lots.values()) {
    lot.isLate = false;
    relane(state, lot);
  }
  checkFailureBudget(state, job);
  state.touched.add(job.pool);
}

export function setProjectPolicy(state: FarmState, { policy }: EventOf<"project-policy">): void {
  const { project: id } = taskIdOf({ project: policy.project, job: "", index: 0 });
  const project = state.project(id);
  project.policy = policy;
  refreshProject(state, project);
}

export function setPoolPolicy(state: FarmState, { policy }: EventOf<"pool-policy">): void {
  const pool = state.pool(policy.pool as Parameters<FarmState["pool"]>[0]);
  pool.policy = policy;
  state.touched.add(pool);
}

export function setWorkerPolicy(state: FarmState, { policy }: EventOf<"worker-policy">): void {
  const id = policy.worker as WorkerEntry["id"];
  state.workerPolicies.set(id, policy);
  state.asideByHand.set(id, policy.quarantine, state.now);
  const { forgiveTime } = policy;
  if (forgiveTime !== undefined) forgiveWorker(state, id, forgiveTime.getTime());
  const worker = state.workers.get(id);
  if (worker === undefined) return;
  worker.policy = policy;
  const { ask } = worker;
  if (ask !== undefined) {
    shelveAsk(ask);
    openAsk(state, ask);
  }
  tellDrain(state, worker);
}

/**
 * A worker that does not do what its policy or the autoscaler wants is told, with each heartbeat
 * until it does: the command may get lost, and another leader may have given the one before.
 */
export function tellDrain(state: FarmState, worker: WorkerEntry): void {
  const { id, policy, isRetiring, info } = worker;
  if (policy === undefined && isRetiring === undefined) return;
  const isDraining = info?.state === WorkerState.DRAINING;
  const isWished = isToDrain(worker);
  if (isWished === isDraining) return;
  const kind = isWished ? "control-drain" : "control-resume";
  const reason = isRetiring === undefined || policy?.draining === true ? "policy" : "scaling";
  state.emit({ kind, reason, worker: id });
}

function sampleOf(control: JobControl): number {
  return control.scheduling?.sampleTasks ?? 0;
}

/** Tasks that came before their job's control did not know whether they belong to the sample. */
function splitSample(state: FarmState, job: JobEntry): void {
  for (const entry of job.tasks) {
    if (entry === undefined || !entry.lot.has(entry)) continue;
    const { kind } = entry.lot;
    const since = entry.waitingSince;
    leaveLine(state, entry);
    rehome(entry, kind);
    joinLine(state, entry);
    entry.waitingSince = since;
  }
}
