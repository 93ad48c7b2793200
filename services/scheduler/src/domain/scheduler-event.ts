/** What the core is told. Ids in events were parsed at the border. */
import type {
  JobControl,
  LatentCheckpoint,
  LeasedTask,
  Outcome,
  PoolId,
  PoolPolicy,
  ProjectPolicy,
  QueuedTask,
  Shelf,
  TaskFailure,
  TaskId,
  Worker,
  WorkerId,
  WorkerPolicy,
} from "@zfarm/contract";
import type { PrefetchAsked } from "./residences.ts";
import type { WorkersRetired } from "./retire-rules.ts";

export type SchedulerEvent =
  | TaskStored
  /** The end of a `rewrite-task`: the new revision, or undefined where another write came first. */
  | { readonly kind: "task-rewritten"; readonly id: TaskId; readonly revision: bigint | undefined }
  /** These have been in a bundle for long, and others of it have ended. */
  | { readonly kind: "bundle-outlived"; readonly ids: readonly TaskId[] }
  /** A message of OUTCOMES. */
  | { readonly kind: "outcome-seen"; readonly id: TaskId; readonly outcome: Outcome }
  /** So many messages of OUTCOMES were told, and `unread` more are stored; infinite: who knows. */
  | { readonly kind: "outcomes-read"; readonly count: number; readonly unread: number }
  /**
   * From now on heartbeats are heard that show every grant of earlier leaders, though the index
   * may still be incomplete.
   */
  | { readonly kind: "listening" }
  /** Leadership is held for longer: grants may be made until then, milliseconds since the epoch. */
  | { readonly kind: "lease-renewed"; readonly grantsUntil: number }
  /** Every task that was live when this term began has been told, and requests are heard. */
  | { readonly kind: "rebuilt" }
  | WorkAsked
  | BeatHeard
  | AttemptReported
  /** A message of the controls log: what is wanted of a job from now on. */
  | { readonly kind: "job-controlled"; readonly control: JobControl }
  /** Messages of the policies log: what operators want. */
  | { readonly kind: "project-policy"; readonly policy: ProjectPolicy }
  | { readonly kind: "pool-policy"; readonly policy: PoolPolicy }
  | { readonly kind: "worker-policy"; readonly policy: WorkerPolicy }
  /** Somebody wants workers to fetch an adapter ahead of its first task. */
  | PrefetchAsked
  /** The autoscaler takes workers away, or keeps them after all. */
  | WorkersRetired
  /** Time has passed. */
  | { readonly kind: "tick" };

/** A message of QUEUE, or a part of a bundle: a new task, or a known one that was rewritten. */
export interface TaskStored {
  readonly kind: "task-stored";
  readonly task: QueuedTask;
  readonly revision: bigint;
  readonly isBundled: boolean;
}

export interface WorkAsked {
  readonly kind: "work-asked";
  /** Names this request in the effect that answers it. */
  readonly ask: number;
  readonly worker: WorkerId;
  readonly pool: PoolId;
  readonly slotsFree: number;
  /** The largest epoch the worker has obeyed. */
  readonly epochSeen: bigint;
  readonly running: readonly LeasedTask[];
  /** The adapters at hand; absent for a worker that takes none. */
  readonly shelf?: Shelf | undefined;
  /** How long it may be held; absent: `limits.askHoldMs`. */
  readonly holdMs?: number;
}

export interface BeatHeard {
  readonly kind: "beat-heard";
  readonly worker: WorkerId;
  readonly pool: PoolId;
  readonly info: Worker;
  readonly running: readonly LeasedTask[];
}

export interface AttemptReported {
  readonly kind: "attempt-reported";
  readonly worker: WorkerId;
  readonly leased: LeasedTask;
  /** Absent when the worker hands the task back unharmed. */
  readonly failure: TaskFailure | undefined;
  /** What was done of a task that is handed back. */
  readonly latents?: LatentCheckpoint | undefined;
}
