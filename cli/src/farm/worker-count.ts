/** How many workers a farm on this machine has: a number, or bounds between which load decides. */
import { limits } from "@zfarm/contract";
import { UsageError } from "../usage-error.ts";

export interface WorkerRange {
  readonly min: number;
  readonly max: number;
}

export interface WorkerCount {
  /** Started with the farm. */
  readonly workers: number;
  /** Absent: the number stays. */
  readonly range?: WorkerRange;
}

/** `3` or `0..4`; UsageError naming the option, its value and its bounds. */
export function parseWorkerCount(option: string, text: string): WorkerCount {
  const most = limits.localWorkersMax;
  const ends = text.split("..");
  if (ends.length === 1) return { workers: parseEnd(text, [1, most], option) };
  const [low = "", high = "", ...more] = ends;
  if (more.length > 0) throw new UsageError(`${option} ${text}: must be N or MIN..MAX`);
  const min = parseEnd(low, [0, most], `${option} ${text}: the lower end`);
  const max = parseEnd(high, [1, most], `${option} ${text}: the upper end`);
  if (min > max) {
    throw new UsageError(`${option} ${text}: the lower end ${min} must be at most ${max}`);
  }
  // What a pool can do is known from its first worker, so one starts whatever the range.
  return { workers: Math.max(1, min), range: { min, max } };
}

function parseEnd(text: string, [min, max]: readonly [number, number], what: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${what} ${text}: must be a whole number from ${min} to ${max}`);
}
