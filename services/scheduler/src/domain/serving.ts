/** Which workers may start something: those that neither drain, nor are locked, nor put aside. */
import { WorkerState } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { WorkerEntry } from "./worker-entry.ts";

export function isServing(state: FarmState, worker: WorkerEntry): boolean {
  return !isHeldBack(worker) && asideUntil(state, worker) === undefined;
}

/** Whether it takes nothing new for as long as nobody acts. */
export function isHeldBack(worker: WorkerEntry): boolean {
  return drains(worker) || isLocked(worker);
}

export function drains(worker: WorkerEntry): boolean {
  return isToDrain(worker) || worker.info?.state === WorkerState.DRAINING;
}

/** Whether an operator or the autoscaler wants it to take no more work. */
export function isToDrain({ policy, isRetiring }: WorkerEntry): boolean {
  return policy?.draining === true || isRetiring === true;
}

/** Locked workers stay: they are nobody's victims. */
export function isLocked({ policy }: WorkerEntry): boolean {
  return policy?.lock !== undefined;
}

/** When its quarantine ends, in milliseconds, Infinity for never; undefined: it is in none. */
export function asideUntil(state: FarmState, { id }: Pick<WorkerEntry, "id">): number | undefined {
  const byHand = state.asideByHand.of(id, state.now)?.until;
  const own = state.health.quarantineOf(id, state.now)?.until;
  return byHand === undefined || own === undefined ? (byHand ?? own) : Math.max(byHand, own);
}

/** The pool's workers that serve, one by one: who looks for one of them need not see all. */
export function* servingWorkers(
  state: FarmState,
  workers: Iterable<WorkerEntry>,
): IterableIterator<WorkerEntry> {
  for (const worker of workers) if (isServing(state, worker)) yield worker;
}
