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
  #drain: "none" | "asked-for" | "for-good" = "none";
  /** Aborts when there is something to tell at once. */
  #news = new AbortController();
  /** The newest request for work: what it knew, and how to give it up. */
  #asking = { shard: 0, epochSeen: 0n, outdated: new AbortController() };

  constructor(identity: {
    readonly worker: WorkerId;
    readonly pool: PoolId;
    readonly slots: number;
  }) {
    this.worker = identity.worker;
    this.pool = identity.pool;
    this.slots = identity.slots;
  }

  /** Whether no more work is asked for. */
  get isDraining(): boolean {
    return this.#drain !== "none";
  }

  /** Aborts when the leader should hear of something before the next beat is due. */
  get news(): AbortSignal {
    return this.#news.signal;
  }

  /** Has the next beat sent now. */
  tellAtOnce(): void {
    const news = this.#news;
    this.#news = new AbortController();
    news.abort();
  }

  /** The leader wants it, until it wants otherwise. */
  drain(): void {
    if (this.#drain === "none") this.#setDrain("asked-for");
  }

  /** Ends a drain that the leader asked for; whether there was one. */
  resume(): boolean {
    if (this.#drain !== "asked-for") return false;
    this.#setDrain("none");
    return true;
  }

  /** The process ends: nobody can end this drain. */
  drainForGood(): void {
    this.#setDrain("for-good");
  }

  /**
   * Begins to ask a shard's leader for work. The signal aborts when a leader of it makes itself
   * known that is newer than any heard of until now: the request is then open with one that is
   * gone.
   */
  beginAsking(shard: number): AbortSignal {
    const epochSeen = this.epochs.seen(shard);
    this.#asking = { shard, epochSeen, outdated: new AbortController() };
    return this.#asking.outdated.signal;
  }

  /** A leader has said that it leads. */
  meetLeader(epoch: bigint, shard: number): void {
    const asking = this.#asking;
    if (shard === asking.shard && epoch > asking.epochSeen) asking.outdated.abort();
  }

  /**
   * Tasks that could begin now. None while too many pictures wait for the store, or as many tasks
   * as there are slots for their adapters.
   */
  get slotsFree(): number {
    if (this.isDraining || this.held.count("delivering") >= limits.deliveriesMax) return 0;
    if (this.held.count("loading") >= this.slots) return 0;
    return Math.max(0, this.slots - this.held.countInEngine());
  }

  #setDrain(drain: "none" | "asked-for" | "for-good"): void {
    this.#drain = drain;
    this.tellAtOnce();
    this.bell.ring();
  }
}
