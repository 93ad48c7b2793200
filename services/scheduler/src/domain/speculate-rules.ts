/** A second try beside a first one that takes too long, where an operator has switched that on. */
import { limits } from "@zfarm/contract";
import { closeAsk } from "./ask-rules.ts";
import { mayTake } from "./choose-grant.ts";
import { charge } from "./cost-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { holdRival } from "./lease-rules.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { noteShelf } from "./shelf-rules.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { AskEntry, WorkerEntry } from "./worker-entry.ts";

/** Only idle capacity is used: nothing waits, and a worker asks. */
export function speculate(state: FarmState, pool: PoolEntry): void {
  const factor = pool.policy?.draining === true ? 0 : (pool.policy?.speculateAfter ?? 0);
  if (factor <= 0 || pool.line.size > 0) return;
  // A part of the workers at a time, each in its turn: a tick costs the same in any pool.
  for (const worker of Array.from(pool.workers.values().take(limits.placementScanMax))) {
    if (pool.asks.size === 0) return;
    pool.workers.delete(worker);
    pool.workers.add(worker);
    for (const entry of worker.leases) {
      if (isStraggling(state, entry, factor)) grantRival(state, pool, entry);
    }
  }
}

function isStraggling(state: FarmState, { job, lot, trial }: TaskEntry, factor: number): boolean {
  const lease = trial?.lease;
  if (lease === undefined || trial?.rival !== undefined || !lease.isListed) return false;
  // What may be the task's own doing must not take a second worker along.
  if (lot.runsAlone || job.control?.paused === true || lot.expiresAt <= state.now) return false;
  if (trial !== undefined && trial.crashes.crashes > 0) return false;
  const key = { pool: job.pool.id, shape: lot.shape, lora: lease.loraState };
  const usualMs = (lease.dueAt - lease.grantedAt) * state.costs.spread(key);
  return state.now - lease.grantedAt > factor * Math.max(usualMs, limits.beatMs);
}

function grantRival(state: FarmState, pool: PoolEntry, entry: TaskEntry): void {
  for (const ask of pool.asks) {
    if (!canHelp(state, entry, ask.worker)) continue;
    giveTo(state, entry, ask);
    return;
  }
}

function canHelp(state: FarmState, entry: TaskEntry, worker: WorkerEntry): boolean {
  return worker.id !== entry.trial?.lease?.worker && mayTake(state, entry.lot, worker);
}

function giveTo(state: FarmState, entry: TaskEntry, ask: AskEntry): void {
  const { worker, pool } = ask;
  const { shape, adapters } = entry.lot;
  closeAsk(state, ask);
  const loraState = worker.shelf?.stateOf(adapters) ?? "none";
  const predictedMs = state.costs.predict({ pool: pool.id, shape, lora: loraState });
  charge(entry, predictedMs, 0);
  const costs = { predictedMs, chargedMs: predictedMs } as const;
  const terms = { fence: state.nextFence(), ...costs, loraState } as const;
  const { fence, attempt } = holdRival(state, entry, { worker, ...terms });
  if (adapters.length > 0) noteShelf(worker, adapters);
  state.emit({
    kind: "grant",
    reason: "straggler",
    ask: ask.ask,
    worker: worker.id,
    shape,
    leases: [{ spec: entry.spec, fence, attempt, latents: entry.trial?.latents }],
    waitedMs: [],
    predictedMs: [predictedMs],
    placements: adapters.length === 0 ? [] : [loraState],
  });
}
