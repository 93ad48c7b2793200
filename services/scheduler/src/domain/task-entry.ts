/** A live task as the leader holds it: what is stored, where it waits or who holds it. */
import {
  FarmError,
  nextTaskState,
  type PoolId,
  type QueuedTask,
  shapeOf,
  type TaskId,
  type TaskKey,
  type TaskLifeEvent,
  type TaskLifeState,
  type TaskSpec,
  taskIdOf,
  taskKey,
  type WorkerId,
} from "@zfarm/contract";
import { ListNode } from "./linked-list.ts";
import type { ShapeLine } from "./pool-line.ts";
import { Timer } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";

export interface LeaseEntry {
  readonly worker: WorkerId;
  readonly fence: bigint;
  readonly attempt: number;
  expiresAt: number;
  /** Whether the worker has ever confirmed that it holds the task. */
  isListed: boolean;
  unlistedBeats: number;
  /** Denoise steps done, as last heard. */
  step: number;
}

/**
 * Why a queued task is in no line: it waits out a delay, or its own outcome is being published
 * and only the log may end it.
 */
export type Aside = "delayed" | "ending";

export class TaskEntry {
  readonly id: TaskId;
  readonly key: TaskKey;
  readonly spec: TaskSpec;
  readonly pool: PoolId;
  readonly shape: string;
  /** Milliseconds; Infinity without an expire time. */
  readonly expiresAt: number;
  readonly orderNode: ListNode<TaskEntry>;
  readonly shapeNode: ListNode<TaskEntry>;
  readonly expireTimer: Timer<Wake>;
  /** The end of the lease, or of the delay: a task never has both. */
  readonly turnTimer: Timer<Wake>;
  task: QueuedTask;
  revision: bigint;
  state: TaskLifeState = "queued";
  aside: Aside | undefined = undefined;
  line: ShapeLine | undefined = undefined;
  lease: LeaseEntry | undefined = undefined;
  /** The lease before, for the outcome of a task that failed. */
  lastLease: LeaseEntry | undefined = undefined;
  /** Leases up to this fence were handed back and are never adopted again. */
  releasedFence = 0n;
  handBacks = 0;
  waitingSince = 0;
  /** A rewrite is under way, or has been outrun by a later one. */
  rewrite: "none" | "under-way" | "outrun" = "none";

  constructor(stored: { task: QueuedTask; spec: TaskSpec; revision: bigint }) {
    const { spec } = stored;
    this.id = taskIdOf(spec);
    this.key = taskKey(this.id);
    this.spec = spec;
    this.pool = spec.pool as PoolId;
    this.shape = spec.image === undefined ? "" : shapeOf(spec.image);
    const expiresAt = spec.expireTime?.getTime() ?? Number.NaN;
    this.expiresAt = Number.isNaN(expiresAt) ? Number.POSITIVE_INFINITY : expiresAt;
    this.orderNode = new ListNode<TaskEntry>(this);
    this.shapeNode = new ListNode<TaskEntry>(this);
    this.expireTimer = new Timer<Wake>({ kind: "task-expires", entry: this });
    this.turnTimer = new Timer<Wake>({ kind: "task-turns", entry: this });
    this.task = stored.task;
    this.revision = stored.revision;
  }

  /** The only way to change the state; an impossible change is a bug and stops the leader. */
  move(event: TaskLifeEvent): void {
    const next = nextTaskState(this.state, event);
    if (next === undefined) {
      throw new FarmError("INTERNAL", `task ${this.key} is ${this.state} and cannot be ${event}`);
    }
    this.state = next;
  }
}
