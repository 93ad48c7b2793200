/**
 * Everything the leader knows, in one mutable object that only the core changes. What it holds
 * is rebuilt from the broker's logs at the start of each term, so nothing here is precious.
 */
import { type JobRef, limits, type PoolId, type TaskKey, type WorkerId } from "@zfarm/contract";
import { LinkedList } from "./linked-list.ts";
import { PoolLine } from "./pool-line.ts";
import { RecentOutcomes } from "./recent-outcomes.ts";
import type { SchedulerEffect } from "./scheduler-effect.ts";
import type { TaskEntry } from "./task-entry.ts";
import { TimerHeap } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";
import type { AskEntry, WorkerEntry } from "./worker-entry.ts";

/** Pools are few and named by operators; an empty one is kept so that its gauges read 0. */
export class PoolEntry {
  readonly id: PoolId;
  readonly line = new PoolLine();
  /** Requests for work without an answer that have room, oldest first. */
  readonly asks = new LinkedList<AskEntry>();
  /** Live tasks by state, delayed and ending ones among the queued. */
  queued = 0;
  leased = 0;

  constructor(id: PoolId) {
    this.id = id;
  }
}

export class FarmState {
  readonly epoch: bigint;
  readonly tasks = new Map<TaskKey, TaskEntry>();
  /** The live tasks of each job, by `jobKey`. */
  readonly jobs = new Map<string, Set<TaskEntry>>();
  readonly pools = new Map<PoolId, PoolEntry>();
  readonly workers = new Map<WorkerId, WorkerEntry>();
  readonly timers = new TimerHeap<Wake>();
  readonly recent = new RecentOutcomes(limits.outcomesRememberedMax);
  /** Pools in which a task or an ask came since the last dispatch. */
  readonly touched = new Set<PoolEntry>();
  effects: SchedulerEffect[] = [];
  /** Milliseconds; never goes back. */
  now = 0;
  /** No grant before this time: the index is incomplete or workers may hold unknown leases. */
  grantsFrom = Number.POSITIVE_INFINITY;
  /** Since when heartbeats are heard; undefined while they are not. */
  listensSince: number | undefined = undefined;
  positionsAt = 0;
  #leases = 0n;

  constructor(epoch: bigint) {
    this.epoch = epoch;
  }

  get isRebuilt(): boolean {
    return this.grantsFrom !== Number.POSITIVE_INFINITY;
  }

  emit(effect: SchedulerEffect): void {
    this.effects.push(effect);
  }

  /** Larger than every fence of this and any earlier leader: the epoch is its upper half. */
  nextFence(): bigint {
    this.#leases += 1n;
    return (this.epoch << 32n) | this.#leases;
  }

  pool(id: PoolId): PoolEntry {
    let pool = this.pools.get(id);
    if (pool === undefined) {
      pool = new PoolEntry(id);
      this.pools.set(id, pool);
    }
    return pool;
  }
}

export function jobKey(job: JobRef): string {
  return `${job.project}.${job.job}`;
}
