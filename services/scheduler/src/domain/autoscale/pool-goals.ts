/** What operators want of a pool for good, as its file says. */
import { limits } from "@zfarm/contract";
import type { WorkClass } from "./pool-work.ts";

export interface PoolGoals {
  readonly min: number;
  readonly max: number;
  /** Workers that stay while the pool is in use, whatever its load. */
  readonly warm: number;
  readonly gpusPerWorker: number;
  /** Within which time waiting tasks of each class should start, milliseconds. */
  readonly startWithinMs: Readonly<Record<WorkClass, number>>;
  /** Without work for so long it may go to zero. */
  readonly idleToZeroMs: number;
  /** What was wanted within this time still counts; steps down and panics last no longer. */
  readonly holdMs: number;
  /** Share of the devices against other pools. */
  readonly weight: number;
}

export const defaultGoals: PoolGoals = {
  min: 0,
  max: limits.autoscaleWorkersMaxDefault,
  warm: 1,
  gpusPerWorker: 1,
  startWithinMs: {
    interactive: limits.autoscaleInteractiveSeconds * 1_000,
    standard: limits.autoscaleStandardSeconds * 1_000,
    batch: limits.autoscaleBatchSeconds * 1_000,
  },
  idleToZeroMs: limits.autoscaleIdleSecondsDefault * 1_000,
  holdMs: limits.autoscaleHoldMs,
  weight: 1,
};
