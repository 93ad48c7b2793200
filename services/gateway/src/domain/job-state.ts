/**
 * Derives what a client sees of a job: counts and states are never stored, only outcomes and what
 * is wanted of the job are.
 */
import {
  type Job,
  type JobControl,
  type JobId,
  type JobRecord,
  JobState,
  jobName,
  type Outcome,
  OutcomeKind,
  type Scheduling,
  type TaskCounts,
  TaskState,
  taskIdOf,
} from "@zfarm/contract";
import { fillScheduling } from "./scheduling-rules.ts";

/** What is wanted of a job and since which change; undefined where nothing ever changed. */
export interface Wanted {
  readonly control: JobControl;
  readonly revision: bigint;
}

/** What keeps the waiting tasks of a job back, whoever has a turn. */
export type JobHold = "paused" | "awaiting-approval" | undefined;

/** `running` is what the leader says; tasks that ended meanwhile are no longer counted there. */
export function countTasks(
  total: number,
  outcomes: readonly Outcome[],
  running: ReadonlySet<number>,
): TaskCounts {
  const ended = (kind: OutcomeKind): number =>
    outcomes.filter((outcome) => outcome.kind === kind).length;
  const endedIndexes = new Set(outcomes.map((outcome) => outcome.spec?.index));
  const runningCount = [...running].filter((index) => !endedIndexes.has(index)).length;
  return {
    total,
    pending: Math.max(0, total - outcomes.length - runningCount),
    running: runningCount,
    succeeded: ended(OutcomeKind.SUCCEEDED),
    failed: ended(OutcomeKind.FAILED),
    canceled: ended(OutcomeKind.CANCELED),
    expired: ended(OutcomeKind.EXPIRED),
  };
}

/** Paused counts more than unapproved: it is what has to go first. */
export function holdOf(control: JobControl | undefined, outcomes: readonly Outcome[]): JobHold {
  if (control === undefined) return undefined;
  if (control.paused) return "paused";
  const sample = control.scheduling?.sampleTasks ?? 0;
  if (sample === 0 || control.approved) return undefined;
  const ended = new Set(outcomes.map(({ spec }) => spec?.index ?? sample));
  const sampleEnded = [...ended].filter((index) => index < sample).length;
  return sampleEnded >= sample ? "awaiting-approval" : undefined;
}

/**
 * Until every task ended a job is queued or running, or held. Then one canceled task makes it
 * canceled: somebody stopped it, whatever was done before.
 */
export function jobStateOf(counts: TaskCounts, hold?: JobHold): JobState {
  const { total, succeeded, canceled } = counts;
  if (endedCount(counts) < total) {
    if (hold === "paused") return JobState.PAUSED;
    if (hold === "awaiting-approval") return JobState.AWAITING_APPROVAL;
    return counts.running + endedCount(counts) > 0 ? JobState.RUNNING : JobState.QUEUED;
  }
  if (succeeded === total) return JobState.SUCCEEDED;
  if (canceled > 0) return JobState.CANCELED;
  return succeeded > 0 ? JobState.PARTIALLY_SUCCEEDED : JobState.FAILED;
}

export function endedCount(counts: TaskCounts): number {
  return counts.succeeded + counts.failed + counts.canceled + counts.expired;
}

/** How the job competes: as it is wanted now, else as it was created. */
export function schedulingOf(record: JobRecord, control: JobControl | undefined): Scheduling {
  return control?.scheduling ?? record.scheduling ?? fillScheduling(undefined, "images");
}

/** Names the newest change of what is wanted of a job. */
export function etagOf(wanted: Wanted | undefined): string {
  return String(wanted?.revision ?? 0n);
}

/** The public view of a record with its counts. */
export function jobView(
  record: JobRecord,
  counts: TaskCounts,
  { wanted, hold }: { readonly wanted?: Wanted | undefined; readonly hold?: JobHold } = {},
): Job {
  const ref = taskIdOf({ ...record, index: 0 });
  const { retryOf } = record;
  return {
    name: jobName(ref),
    displayName: record.displayName,
    pool: record.pool,
    state: jobStateOf(counts, hold),
    counts,
    createTime: record.createTime,
    scheduling: schedulingOf(record, wanted?.control),
    etag: etagOf(wanted),
    retryOf: retryOf === undefined ? "" : jobName({ ...ref, job: retryOf as JobId }),
  };
}

const taskStates: Readonly<Record<OutcomeKind, TaskState>> = {
  [OutcomeKind.UNSPECIFIED]: TaskState.UNSPECIFIED,
  [OutcomeKind.SUCCEEDED]: TaskState.SUCCEEDED,
  [OutcomeKind.FAILED]: TaskState.FAILED,
  [OutcomeKind.CANCELED]: TaskState.CANCELED,
  [OutcomeKind.EXPIRED]: TaskState.EXPIRED,
  [OutcomeKind.UNRECOGNIZED]: TaskState.UNSPECIFIED,
};

export function taskStateOf(kind: OutcomeKind): TaskState {
  return taskStates[kind];
}
