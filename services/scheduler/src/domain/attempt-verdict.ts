/** Judges an attempt that ended without an outcome: whose fault it was and what it costs. */
import { describeFailure, failureRowOf, type TaskFailure, type WorkerId } from "@zfarm/contract";

export type Verdict =
  /** The same task would fail the same way everywhere. */
  | { readonly kind: "fail"; readonly failure: TaskFailure }
  /** Costs an attempt. */
  | { readonly kind: "spend"; readonly failure: TaskFailure }
  /** The worker, or its engine, died: the task is suspected. */
  | { readonly kind: "crash"; readonly failure: TaskFailure }
  /** Costs nothing. With a failure behind it the task waits a little before it is tried again. */
  | { readonly kind: "hand-back"; readonly failure: TaskFailure | undefined };

export function judgeAttempt(failure: TaskFailure | undefined): Verdict {
  if (failure === undefined) return { kind: "hand-back", failure };
  const { retry, spendsAttempt, isCrash } = failureRowOf(failure);
  if (!retry) return { kind: "fail", failure };
  if (isCrash) return { kind: "crash", failure };
  return { kind: spendsAttempt ? "spend" : "hand-back", failure };
}

export function describeLostWorker(worker: WorkerId): TaskFailure {
  return describeFailure("WORKER_LOST", `worker ${worker} vanished while it held the task`);
}

export function describeTooManyHandBacks(handBacks: number): TaskFailure {
  return describeFailure("HANDED_BACK", `workers handed the task back ${handBacks} times`);
}

export function describeExpiry(): TaskFailure {
  return describeFailure("TASK_EXPIRED", "no worker could start the task before its expire time");
}
