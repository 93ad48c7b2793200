/** Derives what a client sees of a job: counts and states are never stored, only outcomes are. */
import {
  type Job,
  type JobRecord,
  JobState,
  jobName,
  type Outcome,
  OutcomeKind,
  type TaskCounts,
  TaskState,
  taskIdOf,
} from "@zfarm/contract";

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

/**
 * Until every task ended a job is queued or running. Then one canceled task makes it canceled:
 * somebody stopped it, whatever was done before.
 */
export function jobStateOf(counts: TaskCounts): JobState {
  const { total, succeeded, canceled } = counts;
  if (endedCount(counts) < total) {
    return counts.running + endedCount(counts) > 0 ? JobState.RUNNING : JobState.QUEUED;
  }
  if (succeeded === total) return JobState.SUCCEEDED;
  if (canceled > 0) return JobState.CANCELED;
  return succeeded > 0 ? JobState.PARTIALLY_SUCCEEDED : JobState.FAILED;
}

export function endedCount(counts: TaskCounts): number {
  return counts.succeeded + counts.failed + counts.canceled + counts.expired;
}

/** The public view of a record with its counts. */
export function jobView(record: JobRecord, counts: TaskCounts): Job {
  return {
    name: jobName(taskIdOf({ ...record, index: 0 })),
    displayName: record.displayName,
    pool: record.pool,
    state: jobStateOf(counts),
    counts,
    createTime: record.createTime,
    scheduling: undefined,
    etag: "",
    retryOf: "",
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
