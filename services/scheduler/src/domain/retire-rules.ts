/**
 * Workers that the autoscaler takes away: they get no work from the moment it says so, and take
 * some again when it changes its mind. What operators want of a worker is their policy's alone.
 */
import type { PoolId, WorkerId } from "@zfarm/contract";
import { openAsk, shelveAsk } from "./ask-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { tellDrain } from "./policy-rules.ts";
import { forgetWorker } from "./worker-rules.ts";

export interface WorkersRetired {
  readonly kind: "workers-retired";
  readonly pool: PoolId;
  readonly retire: readonly WorkerId[];
  /** Take work again. */
  readonly recall: readonly WorkerId[];
  /** Were taken away: nobody is there any more to be told anything, or to do any work. */
  readonly gone: readonly WorkerId[];
}

export function retireWorkers(state: FarmState, event: WorkersRetired): void {
  const { retiring } = state.pool(event.pool);
  for (const id of event.retire) {
    retiring.add(id);
    tellRetirement(state, id, true);
  }
  for (const id of event.recall) {
    retiring.delete(id);
    tellRetirement(state, id, false);
  }
  for (const id of event.gone) {
    retiring.delete(id);
    forgetGone(state, id);
  }
}

/** What it held after all is settled as that of any worker that falls silent. */
function forgetGone(state: FarmState, id: WorkerId): void {
  const worker = state.workers.get(id);
  if (worker !== undefined && worker.leases.size === 0) forgetWorker(state, worker);
}

function tellRetirement(state: FarmState, id: WorkerId, isRetiring: boolean): void {
  const worker = state.workers.get(id);
  if (worker === undefined) return;
  worker.isRetiring = isRetiring;
  const { ask } = worker;
  if (ask !== undefined) {
    shelveAsk(ask);
    openAsk(state, ask);
  }
  tellDrain(state, worker);
}
