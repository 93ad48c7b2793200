/** What can be read from the leader's state: answers to queries, and the numbers for gauges. */
import {
  type JobRef,
  type LiveTask,
  limits,
  type PoolId,
  type PriorityClass,
  type TaskId,
  type Victim,
  type WaitReason,
  type WorkerState,
  workerName,
} from "@zfarm/contract";
import { type FarmState, jobKey } from "./farm-state.ts";
import { oldestWaiting } from "./oldest-tasks.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { backlogMsOf } from "./pool-work.ts";
import { positionsOf } from "./position-rules.ts";
import { drains, isLocked } from "./serving.ts";
import type { TaskEntry } from "./task-entry.ts";
import { type RankedVictim, rankVictims } from "./victims.ts";
import { countWaiting } from "./waiting-counts.ts";
import { conditionOf } from "./worker-view.ts";

export interface PoolCounts {
  readonly pool: PoolId;
  readonly queued: number;
  readonly leased: number;
  /** Every queued task under exactly one reason. */
  readonly waiting: ReadonlyMap<WaitReason, number>;
}

export interface PoolMeasures extends PoolCounts {
  /** Device time of the tasks that wait, as predicted. */
  readonly backlogMs: number;
  /** Milliseconds since the oldest task of a class was accepted, of those that could be granted. */
  readonly oldestMs: ReadonlyMap<PriorityClass, number>;
}

export function countPools(state: FarmState): PoolCounts[] {
  return [...state.pools.values()].map((pool) => countPool(state, pool));
}

/** What takes a look at everything that waits, beside the counts. */
export function measurePools(state: FarmState): PoolMeasures[] {
  return [...state.pools.values()].map((pool) => {
    const backlogMs = backlogMsOf(state, pool);
    return { ...countPool(state, pool), backlogMs, oldestMs: oldestWaiting(state, pool) };
  });
}

function countPool(state: FarmState, pool: PoolEntry): PoolCounts {
  const { id, queued, leased } = pool;
  return { pool: id, queued, leased, waiting: countWaiting(state, pool) };
}

/** What the leader keeps in memory, by table: what has no bound must empty with the farm. */
export function countTables(state: FarmState): Record<FarmTable, number> {
  const pools = [...state.pools.values()];
  const sumOf = (count: (pool: PoolEntry) => number): number =>
    pools.reduce((sum, pool) => sum + count(pool), 0);
  return {
    tasks: state.liveTasks,
    jobs: state.jobs.size,
    projects: state.projects.size,
    lines: sumOf(({ line }) => line.sizes.projects),
    shapes: sumOf(({ line }) => line.sizes.shapes),
    adapters: sumOf(({ line }) => line.sizes.adapters),
    lots_apart: sumOf(({ line }) => line.sizes.apart),
    askers: sumOf(({ askers }) => askers.size),
    residents: sumOf(({ residents }) => residents.size),
    timers: state.timers.size,
    workers: state.workers.size,
    controls: state.controls.size,
  };
}

export type FarmTable =
  | "tasks"
  | "jobs"
  | "projects"
  | "lines"
  | "shapes"
  | "adapters"
  | "lots_apart"
  | "askers"
  | "residents"
  | "timers"
  | "workers"
  | "controls";

/** Where a task is: "ending" means that its outcome is being published. */
export type TaskSituation = "unknown" | "waiting" | "delayed" | "leased" | "ending" | "ended";

export function situationOf(state: FarmState, id: TaskId): TaskSituation {
  const entry = state.findTask(id);
  if (entry === undefined) return state.recent.has(id) ? "ended" : "unknown";
  if (entry.state === "leased") return "leased";
  return entry.trial?.aside ?? "waiting";
}

/** Workers by the state they are in; O(workers), with nothing made for each of them. */
export function countWorkers(state: FarmState): Map<WorkerState, number> {
  const counts = new Map<WorkerState, number>();
  for (const worker of state.workers.values()) {
    const { info } = worker;
    if (info === undefined) continue;
    const condition = conditionOf(state, worker) ?? info.state;
    counts.set(condition, (counts.get(condition) ?? 0) + 1);
  }
  return counts;
}

/**
 * The live tasks of a job by index. Positions are exact up to `positionTasksMax`; that number
 * itself means "this many or more", since counting further would cost a walk of the whole line.
 */
export function describeJob(state: FarmState, job: JobRef): LiveTask[] {
  const entry = state.jobs.get(jobKey(job));
  if (entry === undefined) return [];
  const positions = positionsOf(entry.pool);
  return entry.tasks
    .filter((task) => task !== undefined)
    .map((task) => describeTask(task, positions.get(task) ?? limits.positionTasksMax));
}

/** Which workers of a pool to take away first, with the reason for each. */
export function nameVictims(state: FarmState, id: PoolId, count: number): Victim[] {
  return rankPoolVictims(state, id, count).map(({ candidate, reason }) => ({
    worker: workerName(candidate.id),
    workLeftSeconds: candidate.workLeftMs / 1_000,
    warmBytes: BigInt(candidate.warmBytes),
    reason,
  }));
}

export function rankPoolVictims(state: FarmState, id: PoolId, count: number): RankedVictim[] {
  const pool = state.pools.get(id);
  const workers = [...(pool?.workers ?? [])].filter((worker) => !isLocked(worker));
  const candidates = workers.map((worker) => ({
    id: worker.id,
    workLeftMs: worker.leases.size === 0 ? 0 : Math.max(1, worker.busyUntil - state.now),
    warmBytes: worker.shelf?.warmBytes((digest) => pool?.line.wants(digest) === true) ?? 0,
    isDraining: drains(worker),
  }));
  return rankVictims(candidates, count);
}

function describeTask({ index, trial }: TaskEntry, position: number): LiveTask {
  const lease = trial?.lease;
  return {
    index,
    position: lease === undefined ? position : 0,
    worker: lease?.worker ?? "",
    attempt: lease?.attempt ?? trial?.nextAttempt ?? 1,
    step: lease?.step ?? 0,
    leaseExpireTime: lease === undefined ? undefined : new Date(lease.expiresAt),
  };
}
