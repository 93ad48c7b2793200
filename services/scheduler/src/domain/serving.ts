/** Which workers may start something: those that neither drain nor sit in quarantine. */
import { WorkerState } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { WorkerEntry } from "./worker-entry.ts";

export function isServing(state: FarmState, worker: WorkerEntry): boolean {
  return !drains(worker) && state.health.quarantineOf(worker.id, state.now) === undefined;
}

export function drains({ policy, info }: WorkerEntry): boolean {
  return policy?.draining === true || info?.state === WorkerState.DRAINING;
}

/** The pool's workers that serve, one by one: who looks for one of them need not see all. */
export function* servingWorkers(
  state: FarmState,
  workers: Iterable<WorkerEntry>,
): IterableIterator<WorkerEntry> {
  for (const worker of workers) if (isServing(state, worker)) yield worker;
}
