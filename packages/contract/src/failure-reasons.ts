/**
 * Why attempts end without a picture, in one table: who is blamed, what it costs the task and
 * what its client is told. Workers and the leader name these reasons, and every process judges
 * them by this table; TaskFailure.reason on the wire is a key of it.
 */
import type { ErrorCode } from "./errors.ts";
import { FailureBlame, type TaskFailure } from "./gen/zfarm/v1/image.ts";

interface FailureRow {
  /** Whose fault it is taken for. */
  readonly blame: FailureBlame;
  /** Whether it costs the task one of its `limits.attemptsMax` attempts. */
  readonly spendsAttempt: boolean;
  /** Whether a process died: the task is suspected, and `limits.poisonCrashes` of these end it. */
  readonly isCrash?: boolean;
  /** Whether another attempt may do better; where not, the task ends at once. */
  readonly retry: boolean;
  /** What the client of a single picture sees when this is how its task ended. */
  readonly code: ErrorCode;
}

const { TASK, WORKER, SHARED } = FailureBlame;

export const failureReasons = {
  /** Too many tokens for the model, as only its tokenizer can tell. */
  PROMPT_TOO_LONG: { blame: TASK, spendsAttempt: true, retry: false, code: "PROMPT_TOO_LONG" },
  /** The model cannot draw such a picture, whoever tries. */
  INVALID_REQUEST: { blame: TASK, spendsAttempt: true, retry: false, code: "INVALID_REQUEST" },
  /**
   * A run failed with this task alone in it. Charged to the task: a broken device would else try
   * the same task for ever, and attempts are what bounds that.
   */
  ENGINE_FAILED: { blame: TASK, spendsAttempt: true, retry: true, code: "TASK_FAILED" },
  /** Numbers that are not finite, or one colour: the picture would look valid and is not. */
  NAN_OUTPUT: { blame: TASK, spendsAttempt: true, retry: true, code: "TASK_FAILED" },
  /** The worker has no room for the picture, by its plan or as a run has shown; others may have. */
  OUT_OF_MEMORY: { blame: TASK, spendsAttempt: true, retry: true, code: "TASK_FAILED" },
  /** The engine process died or hung under the task: it may be the task that kills it. */
  ENGINE_CRASHED: {
    blame: WORKER,
    spendsAttempt: false,
    isCrash: true,
    retry: true,
    code: "TASK_FAILED",
  },
  /** The worker vanished under the task; the same doubt. */
  WORKER_LOST: {
    blame: WORKER,
    spendsAttempt: false,
    isCrash: true,
    retry: true,
    code: "TASK_FAILED",
  },
  /** Workers died under it again and again, each time another one where there were enough. */
  POISONED: { blame: TASK, spendsAttempt: true, retry: false, code: "TASK_FAILED" },
  /** More tasks of its job failed than the job allows. */
  JOB_FAILURE_BUDGET: { blame: SHARED, spendsAttempt: false, retry: false, code: "TASK_FAILED" },
  /** The object store did not take the picture. */
  UPLOAD_FAILED: { blame: SHARED, spendsAttempt: false, retry: true, code: "TASK_FAILED" },
  /** The object store did not give the adapter's file. */
  LORA_UNAVAILABLE: { blame: SHARED, spendsAttempt: false, retry: true, code: "TASK_FAILED" },
  /** The adapter's file is not in the object store, which is asked by every worker alike. */
  LORA_MISSING: { blame: SHARED, spendsAttempt: false, retry: false, code: "OBJECT_MISSING" },
  /** What the store holds under the adapter's name is another file, fetched twice. */
  LORA_CORRUPT: { blame: SHARED, spendsAttempt: false, retry: false, code: "OBJECT_CORRUPT" },
  /** The worker could not hold the adapter: too little room, a broken disk. */
  LORA_NOT_HELD: { blame: WORKER, spendsAttempt: true, retry: true, code: "TASK_FAILED" },
  /** Workers handed the task back more often than `limits.handBacksMax`. */
  HANDED_BACK: { blame: SHARED, spendsAttempt: true, retry: true, code: "TASK_FAILED" },
  /** Nobody could start it in time. */
  TASK_EXPIRED: { blame: SHARED, spendsAttempt: false, retry: false, code: "TASK_EXPIRED" },
} as const satisfies Record<string, FailureRow>;

export type FailureReason = keyof typeof failureReasons;

/** The failure as it travels, blamed as the table has it. */
export function describeFailure(reason: FailureReason, message: string): TaskFailure {
  return { reason, message, blame: failureReasons[reason].blame };
}

/**
 * The row of a failure as it was heard. A reason that this version does not know is judged by
 * its blame alone: only what is the task's own fault costs it an attempt.
 */
export function failureRowOf({ reason, blame }: Pick<TaskFailure, "reason" | "blame">): FailureRow {
  if (Object.hasOwn(failureReasons, reason)) return failureReasons[reason as FailureReason];
  const isOthersFault = blame === SHARED || blame === WORKER;
  return { blame, spendsAttempt: !isOthersFault, retry: true, code: "TASK_FAILED" };
}
