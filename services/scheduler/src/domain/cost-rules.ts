/** What tasks cost: charged to projects as predicted when granted, put right when known. */
import type { Outcome } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { LeaseEntry } from "./trial.ts";

/** The project pays what the device worked, not what was predicted; predictions learn from it. */
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
  charge(entry, actualMs - lease.predictedMs, 0);
}

/** A lease ended before the device worked for it. */
export function giveBackCost(entry: TaskEntry, lease: LeaseEntry): void {
  if (lease.step === 0) charge(entry, -lease.predictedMs, 0);
}

export function charge({ job, lot }: TaskEntry, costMs: number, waitedMs: number): void {
  job.pool.line.charge(lot, costMs, waitedMs);
}

/** Device milliseconds of the picture; undefined where the worker did not measure. */
function deviceMs({ image }: Outcome): number | undefined {
  const device = image?.timings?.device;
  if (device === undefined) return undefined;
  return Number(device.seconds) * 1_000 + device.nanos / 1_000_000;
}
