/**
 * How many workers the work needs: so many that what comes is done as it comes, and so many more
 * that what waits starts in time. Workers that start already count for the time they will have.
 *
 * A worker does one GPU-second a second whatever its slots: a picture's cost is its share of the
 * device time of the batches it was in.
 */
import { limits } from "@zfarm/contract";
import type { PoolGoals } from "./pool-goals.ts";
import { type PoolWork, type WorkClass, workClasses } from "./pool-work.ts";

/** Share of its time that a worker may be busy: the more urgent, the more room for chance. */
const utilization: Readonly<Record<WorkClass, number>> = {
  interactive: 0.7,
  standard: 0.8,
  batch: 0.95,
};

export interface DemandInputs {
  readonly goals: PoolGoals;
  readonly work: PoolWork;
  /** GPU-seconds a second that are expected once a worker asked for now would be ready. */
  readonly arrivals: Readonly<Record<WorkClass, number>>;
  readonly inFlightMs: number;
  readonly ready: number;
  /** For each worker that starts, milliseconds until it should be ready. */
  readonly startingInMs: readonly number[];
  readonly coldStartMs: number;
}

export interface Demand {
  /** Workers, not rounded. */
  readonly forArrivals: number;
  readonly forBacklog: number;
}

export function demandOf(inputs: DemandInputs): Demand {
  const { arrivals } = inputs;
  let forArrivals = 0;
  for (const each of workClasses) forArrivals += arrivals[each] / utilization[each];
  return { forArrivals, forBacklog: neededForBacklog(inputs) };
}

/**
 * Earliest deadline first can make it if, for each target, all the work that is due by then fits.
 * What is left when a new worker would be ready is what new workers are needed for.
 */
function neededForBacklog(inputs: DemandInputs): number {
  const { goals, work, arrivals, coldStartMs } = inputs;
  const doneMs = doableMs(inputs);
  let dueMs = inputs.inFlightMs;
  let tasks = work.running;
  let needed = 0;
  for (const each of byTarget(goals)) {
    dueMs += work.waiting[each].ms + arrivals[each] * coldStartMs;
    tasks += work.waiting[each].tasks;
    const leftMs = Math.max(0, dueMs - doneMs);
    // One task runs on one worker, however long it takes.
    const workers = Math.min(leftMs / drainMs(goals.startWithinMs[each], coldStartMs), tasks);
    needed = Math.max(needed, workers);
  }
  return needed;
}

/** What the workers that are there and those that start can do until a new one is ready. */
function doableMs({ ready, startingInMs, coldStartMs }: DemandInputs): number {
  let readyMs = ready * coldStartMs;
  for (const inMs of startingInMs) readyMs += Math.max(0, coldStartMs - inMs);
  return readyMs * limits.autoscaleEfficiency;
}

/**
 * In what time to do it: what the target leaves after a cold start. Where that is little or
 * nothing the target is missed by what waits now, and half of it must do for what comes next.
 */
function drainMs(startWithinMs: number, coldStartMs: number): number {
  return Math.max(startWithinMs - coldStartMs, startWithinMs / 2);
}

function byTarget({ startWithinMs }: PoolGoals): WorkClass[] {
  return workClasses.toSorted((one, other) => startWithinMs[one] - startWithinMs[other]);
}
