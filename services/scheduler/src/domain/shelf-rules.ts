/** Who holds which adapters: as workers say, and as grants have changed it since. */
import { type LoraRef, limits, type Shelf as ShelfReport } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { isServing } from "./serving.ts";
import type { WorkerEntry } from "./worker-entry.ts";

/** What the worker says it has; absent for a worker that takes no adapters. */
export function reportShelf(worker: WorkerEntry, report: ShelfReport | undefined): void {
  endPrewarm(worker);
  if (report === undefined) {
    worker.shelf = undefined;
    worker.rankBudget = Number.POSITIVE_INFINITY;
  } else {
    worker.openShelf().report(report);
    worker.rankBudget = report.rankBudget || Number.POSITIVE_INFINITY;
  }
  indexResidencies(worker);
}

/** The worker will have these on its device for the tasks that it was granted. */
export function noteShelf(worker: WorkerEntry, adapters: readonly LoraRef[]): void {
  worker.shelf?.note(adapters);
  indexResidencies(worker);
}

/** A worker that leaves takes its adapters along. */
export function forgetShelf(worker: WorkerEntry): void {
  endPrewarm(worker);
  worker.shelf = undefined;
  indexResidencies(worker);
}

/**
 * While all workers are busy: has a worker fetch what a task near the front of the line will
 * need, so that the load is over when its turn comes.
 */
export function prewarm(state: FarmState, pool: PoolEntry): void {
  if (pool.asks.size > 0 || pool.policy?.draining === true) return;
  for (const lot of pool.line.heads(limits.prewarmLotsMax)) {
    const cold = lot.adapters.find(({ digest }) => !pool.residents.has(digest));
    if (cold === undefined || pool.prewarmed.has(cold.digest)) continue;
    const worker = nextFree(state, pool);
    if (worker === undefined) return;
    worker.prewarmed = cold.digest;
    pool.prewarmed.add(cold.digest);
    state.emit({ kind: "prewarm", reason: "task-near-front", worker: worker.id, adapter: cold });
  }
}

function endPrewarm(worker: WorkerEntry): void {
  if (worker.prewarmed !== undefined) worker.pool.prewarmed.delete(worker.prewarmed);
  worker.prewarmed = undefined;
}

/** The worker that should be free first, among those that fetch nothing yet. */
function nextFree(state: FarmState, pool: PoolEntry): WorkerEntry | undefined {
  let best: WorkerEntry | undefined;
  for (const worker of pool.workers) {
    if (worker.shelf === undefined || worker.prewarmed !== undefined) continue;
    if (worker.leases.size === 0 || !isServing(state, worker)) continue;
    if (best === undefined || worker.busyUntil < best.busyUntil) best = worker;
  }
  return best;
}

function indexResidencies(worker: WorkerEntry): void {
  const { residents } = worker.pool;
  const now = worker.shelf === undefined ? [] : [...worker.shelf.onDevice()];
  for (const digest of worker.residencies) {
    if (now.includes(digest)) continue;
    const holders = residents.get(digest);
    holders?.delete(worker);
    if (holders?.size === 0) residents.delete(digest);
  }
  for (const digest of now) {
    const holders = residents.get(digest);
    if (holders === undefined) residents.set(digest, new Set([worker]));
    else holders.add(worker);
  }
  worker.residencies = now;
}
