/** What tasks cost: charged to projects as predicted when granted, put right when known. */
import type { Outcome } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { LeaseEntry } from "./trial.ts";

/**
 * The project pays what the device worked, not what was predicted, and also for what an earlier
 * leader granted; predictions learn from it.
 */
export function settleCost(state: FarmState, entry: TaskEntry, outcome: Outcome): void {
  const trial = entry.trial;
  const held = [trial?.lease, trial?.rival, trial?.lastLease];
  const lease = held.find((each) => each?.fence === outcome.fence);
  const actualMs = deviceMs(outcome);
  if (lease === undefined || actualMs === undefined) return;
  const { job, lot } = entry;
  const key = { pool: job.pool.id, shape: lot.shape, lora: lease.loraState };
  const error = state.costs.learn(key, actualMs);
  const { id: pool } = job.pool;
  state.emit({ kind: "cost-learned", reason: "outcome-timed", pool, error, actualMs });
  correct(entry, lease, actualMs);
}

/** A lease ended before the device worked for it. */
export function giveBackCost(entry: TaskEntry, lease: LeaseEntry): void {
  if (lease.step === 0) correct(entry, lease, 0);
}

/** What the project has paid for the lease becomes `costMs`, however often that changes. */
function correct({ job, lot }: TaskEntry, lease: LeaseEntry, costMs: number): void {
  job.pool.line.charge(lot, costMs - lease.chargedMs);
  lease.chargedMs = costMs;
}

/** Books what a task should cost before it starts. */
export function charge({ job, lot }: TaskEntry, costMs: number, waitedMs: number): void {
  job.pool.line.charge(lot, costMs, waitedMs);
}

/** Device milliseconds of the picture; undefined where the worker did not measure. */
function deviceMs({ image }: Outcome): number | undefined {
  const device = image?.timings?.device;
  if (device === undefined) return undefined;
  return Number(device.seconds) * 1_000 + device.nanos / 1_000_000;
}
