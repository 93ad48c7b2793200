/** What happens to workers and their requests for work: heard, asked, held, answered, forgotten. */
import { type Lease, limits, type PoolId, type WorkerId, WorkerState } from "@zfarm/contract";
import type { FarmState, PoolEntry } from "./farm-state.ts";
import { confirmLeases, countUnlisted, holdLease } from "./lease-rules.ts";
import type { EmptyReason } from "./scheduler-effect.ts";
import type { BeatHeard, WorkAsked } from "./scheduler-event.ts";
import type { TaskEntry } from "./task-entry.ts";
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
  const { ask, pool, slotsFree } = event;
  const worker = hearWorker(state, event.worker, pool);
  if (worker === undefined) {
    state.emit({ kind: "answer-empty", reason: "too-many-workers", ask, worker: event.worker });
    return;
  }
  if (worker.ask !== undefined) answerEmpty(state, worker.ask, "newer-ask");
  confirmLeases(state, worker, event.running);
  const entry = new AskEntry({ ask, pool, slotsFree }, worker);
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
  state.timers.set(entry.timer, state.now + limits.askHoldMs);
  // Without room it is only held, so that a worker cannot ask in a tight loop.
  if (slotsFree < 1) return;
  const poolEntry = state.pool(pool);
  poolEntry.asks.pushBack(entry.node);
  state.touched.add(poolEntry);
}

/** Ends a request without work; the worker asks again when it likes. */
export function answerEmpty(state: FarmState, ask: AskEntry, reason: EmptyReason): void {
  closeAsk(state, ask);
  state.emit({ kind: "answer-empty", reason, ask: ask.ask, worker: ask.worker.id });
}

/** Joins waiting tasks and waiting workers; the worker that asked first is served first. */
export function dispatch(state: FarmState, pool: PoolEntry): void {
  while (pool.line.size > 0) {
    const ask = pool.asks.first;
    if (ask === undefined) return;
    grant(state, pool, ask);
  }
}

/** Forgets a worker that has been silent and holds nothing. */
export function checkWorker(state: FarmState, worker: WorkerEntry): void {
  const forgetAt = worker.heardAt + limits.workerForgetMs;
  if (forgetAt > state.now || worker.leases.size > 0) {
    state.timers.set(worker.timer, forgetAt > state.now ? forgetAt : state.now + limits.leaseMs);
    return;
  }
  if (worker.ask !== undefined) answerEmpty(state, worker.ask, "worker-vanished");
  state.workers.delete(worker.id);
}

/** Answers one request with the next batch of its pool, which is not empty. */
function grant(state: FarmState, pool: PoolEntry, ask: AskEntry): void {
  const entries = pool.line.take(Math.min(ask.slotsFree, limits.batchTasksMax));
  const { worker } = ask;
  // Its timer tells when the request came: in this very step, or before the task did.
  const heldSince = ask.timer.at - limits.askHoldMs;
  closeAsk(state, ask);
  const waitedMs = entries.map((entry) => state.now - entry.waitingSince);
  const leases = entries.map((entry) => leaseOut(state, entry, worker));
  const reason = heldSince < state.now ? "worker-waited" : "task-waited";
  const shape = entries[0]?.shape ?? "";
  state.emit({ kind: "grant", reason, ask: ask.ask, worker: worker.id, shape, leases, waitedMs });
}

function leaseOut(state: FarmState, entry: TaskEntry, worker: WorkerEntry): Lease {
  const { fence, attempt } = holdLease(state, entry, { worker, fence: state.nextFence() });
  return { spec: entry.spec, fence, attempt };
}

function closeAsk(state: FarmState, ask: AskEntry): void {
  ask.node.list?.remove(ask.node);
  state.timers.clear(ask.timer);
  if (ask.worker.ask === ask) ask.worker.ask = undefined;
}

/** The entry of a worker that gave a sign of life; undefined where the table is full. */
function hearWorker(state: FarmState, id: WorkerId, pool: PoolId): WorkerEntry | undefined {
  let worker = state.workers.get(id);
  if (worker === undefined) {
    if (state.workers.size >= limits.workersMax) return undefined;
    worker = new WorkerEntry(id, pool);
    state.workers.set(id, worker);
    state.timers.set(worker.timer, state.now + limits.workerForgetMs);
  }
  worker.pool = pool;
  worker.heardAt = state.now;
  return worker;
}
