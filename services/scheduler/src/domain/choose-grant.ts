/**
 * Decides which waiting lot goes to which asking worker: fair shares say whose turn it is, and
 * within their bounds adapters that are warm somewhere decide who goes where.
 */
import { limits, WaitReason } from "@zfarm/contract";
import { keepWorker, letGo, mayJoin } from "./alone-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { priorityOf } from "./job-entry.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { GrantReason } from "./scheduler-effect.ts";
import { isServing, servingWorkers } from "./serving.ts";
import { relane } from "./waiting-rules.ts";
import type { AskEntry, WorkerEntry } from "./worker-entry.ts";

export interface Choice {
  readonly lot: Lot;
  readonly ask: AskEntry;
  readonly reason: GrantReason;
}

/** The next grant of a pool; undefined where nothing can be granted now. */
export function chooseGrant(state: FarmState, pool: PoolEntry): Choice | undefined {
  const { first } = pool.asks;
  if (first === undefined || pool.line.size === 0) return undefined;
  letGo(state, pool);
  const kept = chooseKept(state, pool);
  if (kept !== undefined) return kept;
  const head = findHead(state, pool);
  if (head === undefined) return undefined;
  return chooseWarmer(state, head, first) ?? head;
}

/** A lot that a worker was kept for has its turn as soon as that worker is idle. */
function chooseKept(state: FarmState, { kept }: PoolEntry): Choice | undefined {
  const ask = kept?.worker.ask;
  if (kept === undefined || ask?.node.list === undefined) return undefined;
  const { lot, worker } = kept;
  return mayTake(state, lot, worker) ? { lot, ask, reason: "task-waited" } : undefined;
}

/** The first lot in fair order that some asking worker may take, and the best worker for it. */
function findHead(state: FarmState, pool: PoolEntry): Choice | undefined {
  const heldShapes = new Set<string>();
  for (const lot of headsInTime(state, pool)) {
    if (heldShapes.has(lot.shape)) continue;
    const isHeld = isHeldForAdapters(state, lot);
    const choice = isHeld ? chooseWarmWorker(state, lot) : chooseWorker(state, lot);
    if (choice === undefined) keepWorker(lot, (worker) => suits(state, lot, worker));
    if (choice === undefined || holdsForAdapters(state, choice)) continue;
    if (!holdsForBatch(state, choice)) return choice;
    heldShapes.add(lot.shape);
  }
  return undefined;
}

/**
 * The first lots of the line. One that cannot make its deadline goes on as if it had none, once in
 * its life; that changes the order, so the look starts anew.
 */
function* headsInTime(state: FarmState, pool: PoolEntry): IterableIterator<Lot> {
  const seen = new Set<Lot>();
  for (;;) {
    let late: Lot | undefined;
    for (const lot of pool.line.heads(limits.placementScanMax)) {
      if (seen.has(lot)) continue;
      late = lot.lane?.hasDeadlines && !makesDeadline(state, lot) ? lot : undefined;
      if (late !== undefined) break;
      seen.add(lot);
      yield lot;
    }
    if (late === undefined) return;
    late.isLate = true;
    relane(state, late);
  }
}

/** Whether a task that started now would be done by its deadline, as its job wants it now. */
export function makesDeadline(state: FarmState, lot: Lot): boolean {
  const { deadlineAt } = priorityOf(lot);
  if (deadlineAt === Number.POSITIVE_INFINITY) return true;
  const { id } = lot.job.pool;
  const lora = lot.adapters.length === 0 ? "none" : "warm";
  return state.now + state.costs.predict({ pool: id, shape: lot.shape, lora }) <= deadlineAt;
}

/** The asking worker that has least to load for the lot, among those that may take it. */
function chooseWorker(state: FarmState, lot: Lot): Choice | undefined {
  const warm = chooseWarmWorker(state, lot);
  if (warm !== undefined) return warm;
  const { pool } = lot.job;
  const [adapter] = lot.adapters;
  let best: AskEntry | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  let left: number = limits.placementAsksMax;
  for (const ask of pool.asks) {
    if (left === 0 || (best !== undefined && adapter === undefined)) break;
    left -= 1;
    if (!mayTake(state, lot, ask.worker)) continue;
    const cost = placeCost(pool, lot, ask.worker);
    if (cost < bestCost) [best, bestCost] = [ask, cost];
  }
  if (best === undefined) return undefined;
  const isHeld = best.heldSince < lotSince(lot);
  return { lot, ask: best, reason: isHeld ? "worker-waited" : "task-waited" };
}

/** An asking worker that holds the whole stack on its device. */
function chooseWarmWorker(state: FarmState, lot: Lot): Choice | undefined {
  const [adapter] = lot.adapters;
  if (adapter === undefined) return undefined;
  for (const ask of lot.job.pool.askers.get(adapter.digest) ?? []) {
    if (isWarm(state, lot, ask)) return { lot, ask, reason: "adapters-warm" };
  }
  return undefined;
}

/** Whether the worker can take the lot's tasks beside what it holds. */
export function mayTake(state: FarmState, lot: Lot, worker: WorkerEntry): boolean {
  return mayJoin(lot.job.pool, lot, worker) && suits(state, lot, worker);
}

/** Whether the worker can take the lot's tasks once it is idle. */
function suits(state: FarmState, lot: Lot, worker: WorkerEntry): boolean {
  if (!fits(lot, worker)) return false;
  const crashes = lot.kind === "suspected" ? lot.first?.trial?.crashes : undefined;
  if (crashes === undefined) return true;
  // Where every worker that serves has crashed under it, it goes back to one of them.
  return !crashes.avoids(worker.id, servingWorkers(state, lot.job.pool.workers));
}

/** Whether the worker has room for the lot's adapters when it has nothing else. */
export function fits(lot: Lot, worker: WorkerEntry): boolean {
  return (
    lot.adapters.length === 0 || (worker.shelf !== undefined && rankOf(lot) <= worker.rankBudget)
  );
}

export function rankOf(lot: Lot): number {
  return lot.adapters.reduce((sum, { rank }) => sum + rank, 0);
}

/** Milliseconds of loading, and those it costs later to bring back what has to leave for it. */
function placeCost(pool: PoolEntry, lot: Lot, { shelf }: WorkerEntry): number {
  if (shelf === undefined || lot.adapters.length === 0) return 0;
  const loadMs = shelf.loadMs(lot.adapters);
  const victim = shelf.victimFor(lot.adapters);
  if (victim === undefined) return loadMs;
  const copies = pool.residents.get(victim)?.size ?? 1;
  return loadMs + (loadMs * shelf.warmth(victim)) / copies;
}

/**
 * Instead of a lot that must load its adapters, one that finds its own warm on the worker that
 * asks: its project may not be too far ahead, and the older one must not be too much older.
 */
function chooseWarmer(state: FarmState, head: Choice, ask: AskEntry): Choice | undefined {
  const { pool } = head.lot.job;
  const { shelf } = ask.worker;
  if (shelf === undefined || head.reason === "adapters-warm" || head.lot.kind !== "fresh") return;
  const savesMs = shelf.loadMs(head.lot.adapters);
  if (savesMs === 0) return undefined;
  let best: Lot | undefined;
  for (const digest of shelf.onDevice()) {
    for (const lot of pool.line.ofAdapter(digest)) {
      if (best !== undefined && lot.order > best.order) break;
      if (mayPass(pool, lot, { head: head.lot, savesMs }) && isWarm(state, lot, ask)) {
        best = lot;
        break;
      }
    }
  }
  return best === undefined ? undefined : { lot: best, ask, reason: "adapters-warm" };
}

function isWarm(state: FarmState, lot: Lot, { worker }: AskEntry): boolean {
  return worker.shelf?.loadMs(lot.adapters) === 0 && mayTake(state, lot, worker);
}

/**
 * Whether a lot may go before the one whose turn it is: its project may be served a little ahead
 * of its turn, and what it passes in its own lane may not be much older.
 */
export function mayPass(
  pool: PoolEntry,
  lot: Lot,
  { head, savesMs }: { head: Lot; savesMs: number },
): boolean {
  if (!pool.line.isServed(lot)) return false;
  if (lot.job.project !== head.job.project && pool.line.leadOf(lot) > limits.fairLeadMs) {
    return false;
  }
  const passed = lot.lane?.first ?? head;
  return lotSince(lot) - lotSince(passed) <= savesMs * limits.affinityLoadsMax;
}

/** Since when the lot's next task waits, milliseconds since the term began. */
export function lotSince(lot: Lot): number {
  return lot.first?.waitingSince ?? 0;
}

function isHeldForAdapters(state: FarmState, lot: Lot): boolean {
  return lot.holdReason === WaitReason.LORA_AFFINITY && lot.holdUntil > state.now;
}

/** Waits for the worker that has the adapters, if it is free before they are loaded elsewhere. */
function holdsForAdapters(state: FarmState, { lot, ask, reason }: Choice): boolean {
  if (lot.adapters.length === 0 || reason === "adapters-warm") return false;
  const waitedMs = state.elapsedMs - lotSince(lot);
  const freeAt = warmWorkerFreeAt(state, lot);
  const loadMs = ask.worker.shelf?.loadMs(lot.adapters) ?? 0;
  const { pool } = lot.job;
  // Behind a deep line the worker finds other work; what is held only waits longer.
  const isDeep = pool.line.size > pool.workers.size;
  const patienceMs = loadMs * (isDeep ? limits.affinityHoldDeep : limits.affinityHold);
  if (freeAt === undefined || freeAt - state.now + waitedMs > patienceMs) return false;
  return hold(state, lot, { until: freeAt, reason: WaitReason.LORA_AFFINITY });
}

/** Waits a few milliseconds for more tasks of the shape, where they are arriving. */
function holdsForBatch(state: FarmState, { lot, ask }: Choice): boolean {
  const { pool } = lot.job;
  // Idle capacity needs no batches.
  if (pool.asks.size > 1 || ask.slotsFree < 2 || lot.runsAlone) return false;
  const queued = pool.line.countOfShape(lot.shape);
  const heldMs = state.elapsedMs - lotSince(lot);
  const room = { queued, slotsFree: ask.slotsFree, heldMs };
  const holdMs = pool.arrivals.holdMs(lot.shape, state.now, room);
  if (holdMs === 0) return false;
  return hold(state, lot, { until: state.now + holdMs, reason: WaitReason.BATCH_FORMING });
}

function hold(state: FarmState, lot: Lot, wait: { until: number; reason: WaitReason }): true {
  lot.holdUntil = wait.until;
  lot.holdReason = wait.reason;
  const { pool } = lot.job;
  pool.line.setApart(lot);
  const { holdTimer } = pool;
  if (holdTimer.slot < 0 || holdTimer.at > wait.until) state.timers.set(holdTimer, wait.until);
  return true;
}

/** When the first of the workers that hold the adapters should be free, if they are all busy. */
function warmWorkerFreeAt(state: FarmState, lot: Lot): number | undefined {
  const [adapter] = lot.adapters;
  if (adapter === undefined) return undefined;
  let freeAt: number | undefined;
  let left: number = limits.placementAsksMax;
  for (const worker of lot.job.pool.residents.get(adapter.digest) ?? []) {
    if (left === 0) break;
    left -= 1;
    if (worker.leases.size === 0 || !isServing(state, worker)) continue;
    if (!suits(state, lot, worker)) continue;
    // One that is late is due any moment.
    const dueAt = Math.max(worker.busyUntil, state.now + limits.schedulerTickMs);
    freeAt = Math.min(freeAt ?? Number.POSITIVE_INFINITY, dueAt);
  }
  return freeAt;
}
