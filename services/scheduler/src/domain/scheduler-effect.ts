/** What the core wants done, each with the reason for it: logs and metrics show these words. */
import type {
  Lease,
  LeasedTask,
  LoraRef,
  Outcome,
  PoolId,
  QueuedTask,
  TaskId,
  WorkerId,
} from "@zfarm/contract";
import type { LoraState } from "./shelf.ts";

export type GrantReason = "task-waited" | "worker-waited" | "adapters-warm" | "straggler";

export type EmptyReason =
  | "nothing-to-do"
  | "newer-ask"
  | "worker-draining"
  | "newer-leader"
  | "asked-anew"
  | "too-many-workers"
  | "worker-vanished";

/** The last two: the task has a newer message, in the place of this one or beside it. */
export type RemoveReason = "task-ended" | "ended-before" | "rewritten" | "has-own-message";

export const outcomeReasons = [
  "attempts-exhausted",
  "not-retryable",
  "expired",
  "poisoned",
  "job-failure-budget",
] as const;
export type OutcomeReason = (typeof outcomeReasons)[number];

export type RewriteReason = "attempt-spent" | "latents-kept" | "bundle-outlived";

export type CancelReason = "task-ended" | "lease-superseded";

export const releaseReasons = [
  "lease-expired",
  "lease-dropped",
  "grant-lost",
  "attempt-failed",
  "handed-back",
  "lease-superseded",
] as const;
export type ReleaseReason = (typeof releaseReasons)[number];

/** An answer with work. All leases share the shape. */
export interface Grant {
  readonly kind: "grant";
  readonly reason: GrantReason;
  readonly ask: number;
  readonly worker: WorkerId;
  readonly shape: string;
  readonly leases: readonly Lease[];
  /** How long each task waited in the line, in the order of the leases. */
  readonly waitedMs: readonly number[];
  /** Device time that each task should take, and that its project is charged for now. */
  readonly predictedMs: readonly number[];
  /** For each LoRA stack of the batch whether the worker had it on its device. */
  readonly placements: readonly LoraState[];
}

export type SchedulerEffect =
  | Grant
  | {
      readonly kind: "answer-empty";
      readonly reason: EmptyReason;
      readonly ask: number;
      readonly worker: WorkerId;
    }
  /** The task needs the message no more; others of its bundle may. */
  | {
      readonly kind: "remove-task";
      readonly reason: RemoveReason;
      readonly id: TaskId;
      readonly revision: bigint;
    }
  | {
      readonly kind: "rewrite-task";
      readonly reason: RewriteReason;
      readonly id: TaskId;
      readonly task: QueuedTask;
      /** Of its own message; 0n: it has none yet. */
      readonly revision: bigint;
    }
  | {
      readonly kind: "publish-outcome";
      readonly reason: OutcomeReason;
      readonly id: TaskId;
      readonly outcome: Outcome;
    }
  | {
      readonly kind: "control-cancel";
      readonly reason: CancelReason;
      readonly worker: WorkerId;
      readonly leased: LeasedTask;
    }
  | {
      readonly kind: "control-drain" | "control-resume";
      readonly reason: "policy" | "scaling";
      readonly worker: WorkerId;
    }
  /** A task that needs the adapter will come soon. */
  | {
      readonly kind: "prewarm";
      readonly reason: "task-near-front" | "asked-for";
      readonly worker: WorkerId;
      readonly adapter: LoraRef;
    }
  /** For the record: a worker gets nothing until a time; the reason is the failures' own. */
  | {
      readonly kind: "worker-quarantined";
      readonly reason: string;
      readonly worker: WorkerId;
      readonly until: number;
    }
  | {
      readonly kind: "announce-leader";
      readonly reason: "first-heard";
      readonly worker: WorkerId;
    }
  | {
      readonly kind: "announce-position";
      readonly reason: "just-arrived" | "still-waiting";
      readonly id: TaskId;
      /** Tasks that would start before it. */
      readonly position: number;
    }
  /** For the record: what a picture cost, and how wrong the prediction was, as a ratio. */
  | {
      readonly kind: "cost-learned";
      readonly reason: "outcome-timed";
      readonly pool: PoolId;
      readonly error: number;
      readonly actualMs: number;
    }
  /** For the record: a task left its worker without an outcome. */
  | {
      readonly kind: "task-released";
      readonly reason: ReleaseReason;
      readonly id: TaskId;
      readonly worker: WorkerId;
      readonly attempts: number;
      /** Of the lease that ended. */
      readonly fence: bigint;
      readonly attempt: number;
      /** Milliseconds since the epoch. */
      readonly grantedAt: number;
      readonly traceparent: string | undefined;
    }
  /** For the record: a worker was found to hold a lease of an earlier leader. */
  | {
      readonly kind: "lease-adopted";
      readonly reason: "listed-by-worker";
      readonly id: TaskId;
      readonly worker: WorkerId;
      readonly fence: bigint;
    };
