/** What the brain decided for one pool, with everything that somebody needs to follow it. */
import type { PoolId } from "@zfarm/contract";

/** The rule that set the number; of several that bind, the last one. */
export const decisionReasons = [
  /** What comes per second needs so many. */
  "arrivals",
  /** What waits would not start in time otherwise. */
  "backlog",
  /** No more workers than tasks. */
  "tasks",
  /** No work for long enough. */
  "idle",
  /** Some work lately, so one stays. */
  "in_use",
  "warm_floor",
  "min",
  "max",
  /** The highest wish of the last minutes still counts. */
  "hold",
  /** Work suddenly comes faster than all workers can do. */
  "panic",
  /** Going down in steps. */
  "step",
  /** Nothing in the cluster can take those asked for already. */
  "unschedulable",
  /** New workers fail to start. */
  "crash_loop",
  "gpu_budget",
  /** Nobody can say what workers there are. */
  "stale",
  "paused",
] as const;

export type DecisionReason = (typeof decisionReasons)[number];

/** What it was decided from. */
export interface DecisionInputs {
  /** Device seconds that wait, and that running tasks still need. */
  readonly backlogSeconds: number;
  readonly inFlightSeconds: number;
  readonly waitingTasks: number;
  /** Device seconds a second: now, and as expected when a new worker would be ready. */
  readonly arrivals: number;
  readonly arrivalsPredicted: number;
  readonly coldStartSeconds: number;
  readonly ready: number;
  readonly starting: number;
  /** Drained by operators or in quarantine. */
  readonly aside: number;
  readonly unschedulable: number;
  readonly crashing: number;
  /** Workers that arrivals and backlog would need, before any bound. */
  readonly neededForArrivals: number;
  readonly neededForBacklog: number;
}

export interface PoolDecision {
  readonly pool: PoolId;
  readonly desired: number;
  /** The target that it was decided against. */
  readonly target: number;
  readonly reason: DecisionReason;
  /** Every rule that changed the number on its way, in their order. */
  readonly bounds: readonly DecisionReason[];
  readonly inputs: DecisionInputs;
}

/** A number of workers on its way through the rules. */
export class Choice {
  workers: number;
  reason: DecisionReason;
  readonly bounds: DecisionReason[] = [];

  constructor(workers: number, reason: DecisionReason) {
    this.workers = workers;
    this.reason = reason;
  }

  atLeast(workers: number, reason: DecisionReason): void {
    if (this.workers < workers) this.#become(workers, reason);
  }

  atMost(workers: number, reason: DecisionReason): void {
    if (this.workers > workers) this.#become(workers, reason);
  }

  #become(workers: number, reason: DecisionReason): void {
    this.workers = workers;
    this.reason = reason;
    this.bounds.push(reason);
  }
}
