/**
 * The brain: told the work and the workers of every pool, it says how many each should have. No
 * clock, no random numbers, no I/O; production, tests and the gym run the same code.
 */
import type { PoolId } from "@zfarm/contract";
import type { PoolDecision } from "./decision.ts";
import type { PoolFleet } from "./fleet.ts";
import { planPool } from "./plan-pool.ts";
import type { PoolGoals } from "./pool-goals.ts";
import { PoolMemory } from "./pool-memory.ts";
import type { PoolWork } from "./pool-work.ts";
import { shareBudget } from "./share-budget.ts";

export interface AutoscalerSettings {
  readonly tickMs: number;
  /** Devices of all pools together; absent: no bound but the pools' own. */
  readonly gpuBudget?: number | undefined;
}

/** A pool as it is at this tick. */
export interface PoolSight {
  readonly goals: PoolGoals;
  readonly work: PoolWork;
  /** Absent where it could not be told this time. */
  readonly fleet?: PoolFleet | undefined;
}

export class Autoscaler {
  readonly #settings: AutoscalerSettings;
  readonly #memories = new Map<PoolId, PoolMemory>();

  constructor(settings: AutoscalerSettings) {
    this.#settings = settings;
  }

  /** Decides for every pool, in their order; `now` is in milliseconds since the epoch. */
  plan(sights: readonly PoolSight[], now: number): PoolDecision[] {
    const { tickMs } = this.#settings;
    const decisions = sights.map(({ goals, work, fleet }) => {
      const memory = this.memoryOf(work.pool);
      memory.seeWork(work, now);
      if (fleet !== undefined) memory.seeFleet(fleet, now);
      return planPool({ goals, work, memory, tickMs, now });
    });
    return this.#share(sights, decisions);
  }

  /** What is remembered of a pool: for metrics. */
  memoryOf(pool: PoolId): PoolMemory {
    let memory = this.#memories.get(pool);
    if (memory === undefined) {
      memory = new PoolMemory();
      this.#memories.set(pool, memory);
    }
    return memory;
  }

  #share(sights: readonly PoolSight[], decisions: readonly PoolDecision[]): PoolDecision[] {
    const { gpuBudget } = this.#settings;
    if (gpuBudget === undefined) return [...decisions];
    const claims = decisions.map(({ desired, target }, place) => {
      const goals = sights[place]?.goals;
      const { min = 0, gpusPerWorker = 1, weight = 1 } = goals ?? {};
      return { desired, target, min, gpusPerWorker, weight };
    });
    const shares = shareBudget(claims, gpuBudget);
    return decisions.map((decision, place) => {
      const desired = shares[place] ?? decision.desired;
      if (desired === decision.desired || isSettled(decision)) return decision;
      const bounds = [...decision.bounds, "gpu_budget" as const];
      return { ...decision, desired, bounds, reason: "gpu_budget" as const };
    });
  }
}

/** Nobody takes devices from a pool that an operator holds or that nobody can see. */
function isSettled({ reason }: PoolDecision): boolean {
  return reason === "paused" || reason === "stale";
}
