/** Judges an attempt that ended without an outcome: whose fault it was and what it costs. */
import { FailureBlame, type TaskFailure, type WorkerId } from "@zfarm/contract";

export type Verdict =
  /** The same task would fail the same way everywhere. */
  | { readonly kind: "fail"; readonly failure: TaskFailure }
  /** Costs an attempt. */
  | { readonly kind: "spend"; readonly failure: TaskFailure }
  /** Costs nothing. With a failure behind it the task waits a little before it is tried again. */
  | { readonly kind: "hand-back"; readonly failure: TaskFailure | undefined };

const notRetryable: ReadonlySet<string> = new Set(["PROMPT_TOO_LONG", "INVALID_REQUEST"]);

/** A process that died under the task: it may be the task that kills it, so it costs an attempt. */
const crashes: ReadonlySet<string> = new Set(["WORKER_LOST", "ENGINE_CRASHED"]);

export function judgeAttempt(failure: TaskFailure | undefined): Verdict {
  if (failure === undefined) return { kind: "hand-back", failure };
  if (notRetryable.has(failure.reason)) return { kind: "fail", failure };
  const isOthersFault =
    failure.blame === FailureBlame.SHARED ||
    (failure.blame === FailureBlame.WORKER && !crashes.has(failure.reason));
  return { kind: isOthersFault ? "hand-back" : "spend", failure };
}

export function describeLostWorker(worker: WorkerId): TaskFailure {
  return {
    reason: "WORKER_LOST",
    message: `worker ${worker} vanished while it held the task`,
    blame: FailureBlame.WORKER,
  };
}

export function describeTooManyHandBacks(handBacks: number): TaskFailure {
  return {
    reason: "HANDED_BACK",
    message: `workers handed the task back ${handBacks} times`,
    blame: FailureBlame.SHARED,
  };
}

export function describeExpiry(): TaskFailure {
  return {
    reason: "TASK_EXPIRED",
    message: "no worker could start the task before its expire time",
    blame: FailureBlame.SHARED,
  };
}
