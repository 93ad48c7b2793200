/** Finds jobs by their names, and what is known of their tasks. */
import type { StoredOutcome } from "@zfarm/broker";
import {
  FarmError,
  type Job,
  type JobRecord,
  type JobRef,
  jobName,
  type LiveTask,
  parseJobName,
} from "@zfarm/contract";
import { isVoid } from "../admission/admit-job.ts";
import { countTasks, holdOf, jobView, type Wanted } from "../domain/job-state.ts";
import { invalidField } from "../domain/violations.ts";
import type { GatewayNeeds } from "../needs.ts";

export interface FoundJob {
  readonly ref: JobRef;
  readonly record: JobRecord;
}

/**
 * The job of a name, also one that the broker has lost and that is about to come back.
 * INVALID_REQUEST where it is no name, JOB_NOT_FOUND.
 */
export async function findJob(
  { broker, feed, manifests }: Pick<GatewayNeeds, "broker" | "feed" | "manifests">,
  name: string,
  field: "name" | "parent" | "job.name",
): Promise<FoundJob> {
  const ref = parseJobName(name);
  if (ref === undefined) {
    const description = "must be projects/{project}/jobs/{job} as a create returned it";
    throw invalidField(field, { reason: "BAD_NAME", description });
  }
  const known = feed.recordOf(ref) ?? (await broker.jobs.find(ref))?.record;
  const record = known ?? (await manifests?.find(ref));
  if (record === undefined || isVoid(record)) {
    throw new FarmError("JOB_NOT_FOUND", `there is no job ${jobName(ref)}`);
  }
  return { ref, record };
}

/**
 * The live tasks as the leader sees them. Without a leader nothing is lost but detail: they count
 * as pending.
 */
export async function liveTasks(
  { broker, log }: Pick<GatewayNeeds, "broker" | "log">,
  ref: JobRef,
): Promise<Map<number, LiveTask>> {
  try {
    const query = { $case: "jobStatus", value: { ...ref } } as const;
    const { reply } = await broker.queries.ask({ query });
    const tasks = reply?.$case === "jobStatus" ? reply.value.tasks : [];
    return new Map(tasks.map((task) => [task.index, task]));
  } catch (error) {
    log.debug({ job_id: ref.job, error }, "job status without a leader");
    return new Map();
  }
}

/** A live task that some worker holds. */
export function isRunning(task: LiveTask): boolean {
  return task.worker !== "";
}

/** What a caller knows of a job already, so that it is not read again. */
interface Known {
  readonly outcomes?: readonly StoredOutcome[];
  readonly wanted?: Wanted;
}

/** The job with its counts; the leader is asked only where something can still be running. */
export async function viewJob(
  needs: Pick<GatewayNeeds, "broker" | "log">,
  { ref, record }: FoundJob,
  known: Known = {},
): Promise<Job> {
  const finding = known.wanted ?? needs.broker.controls.find(ref);
  const stored = known.outcomes ?? (await needs.broker.outcomes.list(ref));
  const [running, wanted] = await Promise.all([
    runningTasks(needs, ref, isEnded(record, stored)),
    finding,
  ]);
  const outcomes = stored.map(({ outcome }) => outcome);
  const hold = holdOf(wanted?.control, outcomes);
  return jobView(record, countTasks(record.taskCount, outcomes, running), { wanted, hold });
}

/** Whether every task of the job has its outcome. */
export function isEnded(record: JobRecord, outcomes: readonly StoredOutcome[]): boolean {
  return new Set(outcomes.map(({ outcome }) => outcome.spec?.index)).size >= record.taskCount;
}

async function runningTasks(
  needs: Pick<GatewayNeeds, "broker" | "log">,
  ref: JobRef,
  ended: boolean,
): Promise<ReadonlySet<number>> {
  if (ended) return new Set();
  const live = await liveTasks(needs, ref);
  return new Set([...live.values()].filter(isRunning).map(({ index }) => index));
}
