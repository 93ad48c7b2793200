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

export interface DemandInputs {
  readonly goals: PoolGoals;
  readonly work: PoolWork;
  /** GPU-seconds a second that are expected once a worker asked for now would be ready. */
  readonly arrivals: Readonly<Record<WorkClass, number>>;
  /** What one task of each class costs, milliseconds. */
  readonly taskMs: Readonly<Record<WorkClass, number>>;
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
  return { forArrivals: neededForArrivals(inputs), forBacklog: neededForBacklog(inputs) };
}

/**
 * The rate itself, and room for chance: the work of a target's time swings by the square root of
 * the tasks in it, so small tasks and long targets need little room, and so do large pools.
 */
function neededForArrivals({ goals, arrivals, taskMs }: DemandInputs): number {
  let needed = 0;
  for (const each of workClasses) {
    const rate = arrivals[each];
    const swing = Math.sqrt((rate * taskMs[each]) / goals.startWithinMs[each]);
    needed += rate / limits.autoscaleEfficiency + limits.autoscaleSwings * swing;
  }
  return needed;
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
 * In what time to do it: what the target leaves after a cold start, or half of it where that is
 * little. Where it leaves nothing what waits is late whatever is done, and need not be hurried.
 */
function drainMs(startWithinMs: number, coldStartMs: number): number {
  if (startWithinMs <= coldStartMs) return startWithinMs;
  return Math.max(startWithinMs - coldStartMs, startWithinMs / 2);
}

function byTarget({ startWithinMs }: PoolGoals): WorkClass[] {
  return workClasses.toSorted((one, other) => startWithinMs[one] - startWithinMs[other]);
}
