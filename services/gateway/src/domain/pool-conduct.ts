/** How a pool is used: the public view of its policy, and what a policy may say. */
import { limits, type PoolConduct, type PoolPolicy, poolName } from "@zfarm/contract";
import type { Fault } from "./violations.ts";

export function conductOf({ pool, ...policy }: PoolPolicy): PoolConduct {
  return { name: poolName(pool), ...policy };
}

/** What holds for a pool that nobody wrote a policy for. */
export function plainPoolPolicy(pool: string): PoolPolicy {
  return { pool, draining: false, speculateAfter: 0 };
}

/** 0 is off; NaN is in no range. */
export function checkSpeculateAfter(factor: number): Fault | undefined {
  const { speculateAfterMin: min, speculateAfterMax: max } = limits;
  if (factor === 0 || (factor >= min && factor <= max)) return undefined;
  return { reason: "OUT_OF_RANGE", description: `is ${factor}; 0, or from ${min} to ${max}` };
}
