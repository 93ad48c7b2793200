/** Which workers may start something: those that neither drain nor sit in quarantine. */
import { WorkerState } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { WorkerEntry } from "./worker-entry.ts";

export function isServing(state: FarmState, worker: WorkerEntry): boolean {
  return !drains(worker) && state.health.quarantineOf(worker.id, state.now) === undefined;
}

export function drains(worker: WorkerEntry): boolean {
  return isToDrain(worker) || worker.info?.state === WorkerState.DRAINING;
}

/** Whether an operator or the autoscaler wants it to take no more work. */
export function isToDrain({ policy, isRetiring }: WorkerEntry): boolean {
  return policy?.draining === true || isRetiring === true;
}

/** The pool's workers that serve, one by one: who looks for one of them need not see all. */
export function* servingWorkers(
  state: FarmState,
  workers: Iterable<WorkerEntry>,
): IterableIterator<WorkerEntry> {
  for (const worker of workers) if (isServing(state, worker)) yield worker;
}
