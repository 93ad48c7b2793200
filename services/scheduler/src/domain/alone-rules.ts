/**
 * Tasks that run alone, because they are suspected or their project is isolated: they share a
 * worker with nothing, so that a crash says who caused it and takes nobody else's task along.
 * Where every worker is always busy with something, one is kept free of other work for them.
 */
import { limits } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { isServing } from "./serving.ts";
import type { WorkerEntry } from "./worker-entry.ts";

/** Whether a task of the lot may run beside whatever the worker holds. */
export function mayJoin(pool: PoolEntry, lot: Lot, worker: WorkerEntry): boolean {
  if (worker.alone !== undefined || (lot.runsAlone && worker.leases.size > 0)) return false;
  return pool.kept?.worker !== worker || pool.kept.lot === lot;
}

/**
 * Keeps the first asking worker that `suits` for the lot: it gets nothing else until what it
 * holds is done. One worker of a pool at a time, so that the others go on.
 */
export function keepWorker(lot: Lot, suits: (worker: WorkerEntry) => boolean): void {
  const { pool } = lot.job;
  if (!lot.runsAlone || pool.kept !== undefined) return;
  let left: number = limits.placementAsksMax;
  for (const { worker } of pool.asks) {
    if (left === 0) return;
    left -= 1;
    if (worker.alone !== undefined || !suits(worker)) continue;
    pool.kept = { lot, worker };
    return;
  }
}

/** A worker is kept no longer than the lot stands in the line and the worker could take it. */
export function letGo(state: FarmState, pool: PoolEntry): void {
  const { kept } = pool;
  if (kept === undefined) return;
  const { lot, worker } = kept;
  const stands = lot.lane !== undefined && lot.runsAlone && pool.line.isServed(lot);
  const isThere = worker.pool === pool && pool.workers.has(worker) && isServing(state, worker);
  if (!stands || !isThere) pool.kept = undefined;
}
