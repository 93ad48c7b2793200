/** What the brain is told of a pool: its work, in device time, and the workers that do it. */
import type { PoolId, WorkerId } from "@zfarm/contract";

/** Most urgent first, as their targets are by default. */
export const workClasses = ["interactive", "standard", "batch"] as const;

export type WorkClass = (typeof workClasses)[number];

export interface WorkSums {
  tasks: number;
  /** Predicted device time, milliseconds. */
  ms: number;
}

export interface WorkerLoad {
  readonly worker: WorkerId;
  /** Predicted device time of what it holds; 0: it holds nothing. */
  readonly workLeftMs: number;
  /** aside: drained or locked by an operator, or in quarantine: it has a place and does no work. */
  readonly condition: "serving" | "starting" | "aside";
  /** Takes no work for the autoscaler's sake, this leader's or an earlier one's. */
  readonly isRetiring: boolean;
}

/** What operators want of a pool now, beside its file. */
export interface ScalingWish {
  readonly workersMin?: number | undefined;
  readonly workersMax?: number | undefined;
  readonly isPaused?: boolean;
}

export interface PoolWork {
  readonly pool: PoolId;
  /** What waits and could be started by more workers. */
  readonly waiting: Readonly<Record<WorkClass, WorkSums>>;
  /** What has come since the term began, many of one job left out; only ever grows. */
  readonly arrived: Readonly<Record<WorkClass, WorkSums>>;
  /** Tasks that some worker holds. */
  readonly running: number;
  readonly workers: readonly WorkerLoad[];
  readonly wish: ScalingWish;
}

export function noSums(): Record<WorkClass, WorkSums> {
  return byClass(() => ({ tasks: 0, ms: 0 }));
}

/** A table with one entry for each class. */
export function byClass<Value>(make: (each: WorkClass) => Value): Record<WorkClass, Value> {
  return {
    interactive: make("interactive"),
    standard: make("standard"),
    batch: make("batch"),
  };
}
