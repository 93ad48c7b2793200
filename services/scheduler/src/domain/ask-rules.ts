/** Requests for work: open to grants, held without, answered. */
import type { FarmState } from "./farm-state.ts";
import type { EmptyReason } from "./scheduler-effect.ts";
import { asideUntil, isLocked, isToDrain } from "./serving.ts";
import type { AskEntry } from "./worker-entry.ts";

/** Without room it is only held, so that a worker cannot ask in a tight loop. */
export function openAsk(state: FarmState, ask: AskEntry): void {
  const { worker, pool } = ask;
  if (ask.slotsFree < 1 || isToDrain(worker) || isLocked(worker)) return;
  if (asideUntil(state, worker) !== undefined) return;
  pool.asks.pushBack(ask.node);
  for (const digest of worker.residencies) {
    const askers = pool.askers.get(digest);
    if (askers === undefined) pool.askers.set(digest, new Set([ask]));
    else askers.add(ask);
  }
  state.touched.add(pool);
}

/** Ends a request without work; the worker asks again when it likes. */
export function answerEmpty(state: FarmState, ask: AskEntry, reason: EmptyReason): void {
  closeAsk(state, ask);
  state.emit({ kind: "answer-empty", reason, ask: ask.ask, worker: ask.worker.id });
}

export function closeAsk(state: FarmState, ask: AskEntry): void {
  shelveAsk(ask);
  state.timers.clear(ask.timer);
  if (ask.worker.ask === ask) ask.worker.ask = undefined;
}

/** The request stays but gets nothing: its worker is not to start anything for now. */
export function shelveAsk(ask: AskEntry): void {
  ask.node.list?.remove(ask.node);
  const { askers } = ask.pool;
  for (const digest of ask.worker.residencies) {
    const asks = askers.get(digest);
    asks?.delete(ask);
    if (asks?.size === 0) askers.delete(digest);
  }
}
