/** What the worker's loops share: its identity, its tasks, and whether it takes more. */
import { limits, type PoolId, type WorkerId } from "@zfarm/contract";
import { Bell } from "./bell.ts";
import { EpochGuard } from "./domain/epoch-guard.ts";
import { HeldTasks } from "./domain/held-tasks.ts";

export class WorkerState {
  readonly worker: WorkerId;
  readonly pool: PoolId;
  readonly slots: number;
  readonly held = new HeldTasks();
  readonly epochs = new EpochGuard();
  /** Rings whenever anything here, or the engine's readiness, has changed. */
  readonly bell = new Bell();
  readonly #draining = new AbortController();
  /** The newest request for work: what it knew, and how to give it up. */
  #asking = { epochSeen: 0n, outdated: new AbortController() };

  constructor(identity: {
    readonly worker: WorkerId;
    readonly pool: PoolId;
    readonly slots: number;
  }) {
    this.worker = identity.worker;
    this.pool = identity.pool;
    this.slots = identity.slots;
  }

  /** Aborts once, by a command or by the process's end: no more work is asked for. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  drain(): void {
    this.#draining.abort();
    this.bell.ring();
  }

  /**
   * Begins a round of asking for work. The signal aborts when a leader makes itself known that is
   * newer than any heard of until now: the request is then open with a leader that is gone.
   */
  beginAsking(): AbortSignal {
    this.#asking = { epochSeen: this.epochs.seen, outdated: new AbortController() };
    return this.#asking.outdated.signal;
  }

  /** A leader has said that it leads. */
  meetLeader(epoch: bigint): void {
    if (epoch > this.#asking.epochSeen) this.#asking.outdated.abort();
  }

  /** Tasks that could begin now. None while too many pictures wait for the store. */
  get slotsFree(): number {
    if (this.draining.aborted || this.held.countDelivering() >= limits.deliveriesMax) return 0;
    return Math.max(0, this.slots - this.held.countInEngine());
  }
}
