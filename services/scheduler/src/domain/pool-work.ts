/** What the autoscaler asks the leader's state: the work of each pool and who does it. */
import { limits, type PoolId, PriorityClass, WorkerState } from "@zfarm/contract";
import {
  noSums,
  type PoolWork,
  type WorkClass,
  type WorkerLoad,
  type WorkSums,
} from "./autoscale/pool-work.ts";
import type { FarmState } from "./farm-state.ts";
import type { Lane } from "./lane.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { ProjectLine } from "./project-line.ts";
import { asideUntil, drains, isLocked } from "./serving.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { WorkerEntry } from "./worker-entry.ts";

/** O(workers, and shapes of the lanes of projects that wait). */
export function measureWork(state: FarmState, id: PoolId): PoolWork {
  const pool = state.pools.get(id);
  if (pool === undefined) return idle(id);
  const waiting = noSums();
  for (const line of pool.line.projects) addLine(state, line, waiting);
  const workers = [...pool.workers].map((worker) => loadOf(state, worker));
  return {
    pool: id,
    waiting,
    arrived: structuredClone(pool.inflow),
    running: pool.leased,
    workers,
    wish: wishOf(pool),
  };
}

/** A pool that drains is not to grow, whatever else is wanted of it. */
function wishOf({ policy }: PoolEntry): PoolWork["wish"] {
  const { workersMin, workersMax, paused = false } = policy?.scaling ?? {};
  return { workersMin, workersMax, isPaused: paused || policy?.draining === true };
}

function idle(pool: PoolId): PoolWork {
  return { pool, waiting: noSums(), arrived: noSums(), running: 0, workers: [], wish: {} };
}

/** Device time of everything that waits in the pool, held back or not, as predicted. */
export function backlogMsOf(state: FarmState, pool: PoolEntry): number {
  let backlogMs = Math.max(0, pool.queued - pool.line.size) * state.costs.typical(pool.id);
  for (const line of pool.line.projects) {
    for (const lane of line.lanes()) backlogMs += costOf(state, line, lane).ms;
  }
  return backlogMs;
}

/**
 * Counts a task that has come into what goes on coming. Many of one job are no rate, and what is
 * held back is wanted by nobody yet.
 */
export function noteInflow(state: FarmState, { lot, index, job }: TaskEntry): void {
  if (lot.lane === undefined || index >= limits.autoscaleBulkTasks) return;
  const lora = lot.adapters.length > 0 ? "warm" : "none";
  const sums = job.pool.inflow[classOf(lot.lane)];
  sums.tasks += 1;
  sums.ms += state.costs.predict({ pool: job.pool.id, shape: lot.shape, lora });
}

/** A project at its burst gains nothing from more workers; one near it gains from a few. */
function addLine(state: FarmState, line: ProjectLine, waiting: Record<WorkClass, WorkSums>): void {
  const { project } = line;
  const room = Math.max(0, project.burst - project.running);
  if (line.waiting === 0 || room === 0) return;
  const share = Math.min(1, room / line.waiting);
  for (const lane of line.lanes()) {
    const { tasks, ms } = costOf(state, line, lane);
    const sums = waiting[classOf(lane)];
    sums.tasks += tasks * share;
    sums.ms += ms * share;
  }
}

function costOf(state: FarmState, { pool }: ProjectLine, { load }: Lane): WorkSums {
  const sums = { tasks: 0, ms: 0 };
  for (const { shape, lora, tasks } of load) {
    sums.tasks += tasks;
    sums.ms += tasks * state.costs.predict({ pool, shape, lora });
  }
  return sums;
}

function loadOf(state: FarmState, worker: WorkerEntry): WorkerLoad {
  const { id, leases, busyUntil, policy, info } = worker;
  const isAside = isLocked(worker) || asideUntil(state, worker) !== undefined;
  const isStarting = info === undefined || info.state === WorkerState.STARTING;
  const isOperators = policy?.draining === true;
  return {
    worker: id,
    workLeftMs: leases.size === 0 ? 0 : Math.max(1, busyUntil - state.now),
    condition: isOperators || isAside ? "aside" : isStarting ? "starting" : "serving",
    isRetiring: drains(worker) && !isOperators,
  };
}

function classOf({ priorityClass }: Lane): WorkClass {
  switch (priorityClass) {
    case PriorityClass.INTERACTIVE:
      return "interactive";
    case PriorityClass.BATCH:
      return "batch";
    default:
      return "standard";
  }
}
