/** What happens to workers and their requests for work: heard, asked, held, answered, forgotten. */
import { limits, type PoolId, type WorkerId, WorkerState } from "@zfarm/contract";
import { answerEmpty, openAsk } from "./ask-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { confirmLeases, countUnlisted } from "./lease-rules.ts";
import { tellDrain } from "./policy-rules.ts";
import type { BeatHeard, WorkAsked } from "./scheduler-event.ts";
import { forgetShelf, reportShelf } from "./shelf-rules.ts";
import { AskEntry, WorkerEntry } from "./worker-entry.ts";

/** A heartbeat: what the worker says it is, what it holds, and whether it wants more. */
export function hearBeat(state: FarmState, event: BeatHeard): void {
  const worker = hearWorker(state, event.worker, event.pool);
  if (worker === undefined) return;
  worker.info = event.info;
  worker.claims = event.running;
  if (state.isRebuilt) meetWorker(state, worker);
  countUnlisted(state, worker, event.running);
  if (event.info.state === WorkerState.DRAINING && worker.ask !== undefined) {
    answerEmpty(state, worker.ask, "worker-draining");
  }
  tellDrain(state, worker);
}

/**
 * Hears out what a worker listed, once the index can judge it. A worker that this leader has not
 * heard of before may still wait for an answer of an earlier one, so it is told who leads now.
 */
export function meetWorker(state: FarmState, worker: WorkerEntry): void {
  confirmLeases(state, worker, worker.claims);
  worker.claims = [];
  if (worker.acquaintance !== "unknown") return;
  worker.acquaintance = "announced";
  state.emit({ kind: "announce-leader", reason: "first-heard", worker: worker.id });
}

/** Takes a request for work. It is answered at the end of this step, or held. */
export function takeAsk(state: FarmState, event: WorkAsked): void {
  const { ask, slotsFree } = event;
  const worker = hearWorker(state, event.worker, event.pool);
  if (worker === undefined) {
    state.emit({ kind: "answer-empty", reason: "too-many-workers", ask, worker: event.worker });
    return;
  }
  if (worker.ask !== undefined) answerEmpty(state, worker.ask, "newer-ask");
  confirmLeases(state, worker, event.running);
  reportShelf(worker, event.shelf);
  if (worker.leases.size === 0) worker.busyUntil = state.now;
  const request = { ask, slotsFree, pool: worker.pool, heldSince: state.elapsedMs };
  const entry = new AskEntry(request, worker);
  worker.ask = entry;
  const wasAnnounced = worker.acquaintance === "announced";
  worker.acquaintance = "met";
  if (event.epochSeen > state.epoch) {
    // The worker obeys another leader: whatever this one grants would be ignored.
    answerEmpty(state, entry, "newer-leader");
    return;
  }
  if (wasAnnounced && event.epochSeen < state.epoch) {
    // Sent before the announcement arrived, and given up when it does: a grant would be lost.
    answerEmpty(state, entry, "asked-anew");
    return;
  }
  state.timers.set(entry.timer, state.now + (event.holdMs ?? holdOf(ask)));
  openAsk(state, entry);
}

/** Workers that began to ask together, as after a backlog, come back one after the other. */
function holdOf(ask: number): number {
  const { askHoldMs, askSpreadMs, askSpreads } = limits;
  return askHoldMs + ((ask - 1) % askSpreads) * (askSpreadMs / askSpreads);
}

/** Forgets a worker that has been silent and holds nothing. */
export function checkWorker(state: FarmState, worker: WorkerEntry): void {
  const forgetAt = worker.heardAt + limits.workerForgetMs;
  if (forgetAt > state.now || worker.leases.size > 0) {
    state.timers.set(worker.timer, forgetAt > state.now ? forgetAt : state.now + limits.leaseMs);
    return;
  }
  forgetWorker(state, worker);
}

/** One that holds nothing. */
export function forgetWorker(state: FarmState, worker: WorkerEntry): void {
  state.timers.clear(worker.timer);
  if (worker.ask !== undefined) answerEmpty(state, worker.ask, "worker-vanished");
  forgetShelf(worker);
  worker.pool.workers.delete(worker);
  state.workers.delete(worker.id);
}

/** The entry of a worker that gave a sign of life; undefined where the table is full. */
function hearWorker(state: FarmState, id: WorkerId, poolId: PoolId): WorkerEntry | undefined {
  const pool = state.pool(poolId);
  let worker = state.workers.get(id);
  if (worker === undefined) {
    if (state.workers.size >= limits.workersMax) return undefined;
    worker = new WorkerEntry(id, pool);
    worker.policy = state.workerPolicies.get(id);
    if (pool.retiring.has(id)) worker.isRetiring = true;
    state.workers.set(id, worker);
    state.timers.set(worker.timer, state.now + limits.workerForgetMs);
  }
  if (worker.pool !== pool) movePool(state, worker, pool);
  pool.workers.add(worker);
  worker.heardAt = state.now;
  return worker;
}

/** A worker's name came up again in another pool: what it asked and held there is not here. */
function movePool(state: FarmState, worker: WorkerEntry, pool: WorkerEntry["pool"]): void {
  if (worker.ask !== undefined) answerEmpty(state, worker.ask, "newer-ask");
  forgetShelf(worker);
  worker.pool.workers.delete(worker);
  worker.pool = pool;
}
