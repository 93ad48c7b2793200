/** What the tries of one task have left behind: who holds it, what failed, where it crashed. */
import type { LatentCheckpoint, TaskFailure, WorkerId } from "@zfarm/contract";
import { CrashHistory } from "./crash-history.ts";
import type { LoraState } from "./shelf.ts";
import type { TaskEntry } from "./task-entry.ts";
import { Timer } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";

export interface LeaseEntry {
  readonly worker: WorkerId;
  readonly fence: bigint;
  readonly attempt: number;
  readonly grantedAt: number;
  /** Device milliseconds that the task should take. */
  readonly predictedMs: number;
  /** Device milliseconds that its project has paid: nothing for a lease that was adopted. */
  chargedMs: number;
  readonly loraState: LoraState;
  expiresAt: number;
  /** When the worker should be done with all that it held when this was granted. */
  dueAt: number;
  /** Whether the worker has ever confirmed that it holds the task. */
  isListed: boolean;
  /** Since when its worker's heartbeats leave it out; undefined where they do not. */
  unlistedSince: number | undefined;
  /** Denoise steps done, as last heard. */
  step: number;
}

/**
 * Why a queued task is in no lot: it waits out a delay, or its own outcome is being published
 * and only the log may end it.
 */
export type Aside = "delayed" | "ending";

export class Trial {
  /** Own failures. */
  attempts = 0;
  /** Workers that died or crashed under it. */
  readonly crashes = new CrashHistory();
  lastFailure: TaskFailure | undefined = undefined;
  lease: LeaseEntry | undefined = undefined;
  /** A second try beside the first, where speculation is on and the first takes too long. */
  rival: LeaseEntry | undefined = undefined;
  /** The lease before, for the outcome of a task that failed. */
  lastLease: LeaseEntry | undefined = undefined;
  /** What a worker that handed it back had done; forgotten after any failure. */
  latents: LatentCheckpoint | undefined = undefined;
  /** Leases up to this fence were handed back and are never adopted again. */
  releasedFence = 0n;
  handBacks = 0;
  /** Grants that no heartbeat ever confirmed; again and again, that is no accident either. */
  grantsLost = 0;
  /** The failure reason that it waits out a delay for. */
  backOffReason = "";
  aside: Aside | undefined = undefined;
  /** A rewrite is under way, or has been outrun by a later one. */
  rewrite: "none" | "under-way" | "outrun" = "none";
  /** The end of the lease, or of the delay: a task never has both. */
  readonly turnTimer: Timer<Wake>;

  constructor(entry: TaskEntry) {
    this.turnTimer = new Timer<Wake>({ kind: "task-turns", entry });
  }

  /** Counted from 1: the next try, or the one under way. */
  get nextAttempt(): number {
    return this.attempts + this.crashes.crashes + 1;
  }
}
