/** A second try beside a first one that takes too long, where an operator has switched that on. */
import { limits } from "@zfarm/contract";
import { closeAsk } from "./ask-rules.ts";
import { mayTake } from "./choose-grant.ts";
import { charge } from "./cost-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { holdRival } from "./lease-rules.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { WorkerEntry } from "./worker-entry.ts";

/** Only idle capacity is used: nothing waits, and a worker asks. */
export function speculate(state: FarmState, pool: PoolEntry): void {
  const factor = pool.policy?.speculateAfter ?? 0;
  if (factor <= 0 || pool.line.size > 0 || pool.asks.size === 0) return;
  let left: number = limits.placementScanMax;
  for (const worker of pool.workers) {
    for (const entry of worker.leases.values()) {
      if (left === 0 || pool.asks.size === 0) return;
      left -= 1;
      if (isStraggling(state, entry, factor)) grantRival(state, pool, entry);
    }
  }
}

function isStraggling(state: FarmState, { job, lot, trial }: TaskEntry, factor: number): boolean {
  const lease = trial?.lease;
  if (lease === undefined || trial?.rival !== undefined || !lease.isListed) return false;
  // What may be the task's own doing must not take a second worker along.
  if (lot.runsAlone) return false;
  const key = { pool: job.pool.id, shape: lot.shape, lora: lease.loraState };
  const usualMs = lease.predictedMs * state.costs.spread(key);
  return state.now - lease.grantedAt > factor * Math.max(usualMs, limits.beatMs);
}

function grantRival(state: FarmState, pool: PoolEntry, entry: TaskEntry): void {
  for (const ask of pool.asks) {
    const { worker } = ask;
    if (!canHelp(state, entry, worker)) continue;
    closeAsk(state, ask);
    const loraState = entry.lot.adapters.length === 0 ? "none" : "cold";
    const key = { pool: pool.id, shape: entry.lot.shape, lora: loraState } as const;
    const predictedMs = state.costs.predict(key);
    charge(entry, predictedMs, 0);
    const costs = { predictedMs, chargedMs: predictedMs } as const;
    const terms = { fence: state.nextFence(), ...costs, loraState } as const;
    const { fence, attempt } = holdRival(state, entry, { worker, ...terms });
    state.emit({
      kind: "grant",
      reason: "straggler",
      ask: ask.ask,
      worker: worker.id,
      shape: entry.lot.shape,
      leases: [{ spec: entry.spec, fence, attempt }],
      waitedMs: [],
      placements: loraState === "none" ? [] : [loraState],
    });
    return;
  }
}

function canHelp(state: FarmState, entry: TaskEntry, worker: WorkerEntry): boolean {
  return worker.id !== entry.trial?.lease?.worker && mayTake(state, entry.lot, worker);
}
