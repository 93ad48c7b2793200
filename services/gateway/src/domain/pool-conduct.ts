/** How a pool is used: the public view of its policy, and what a policy may say. */
import {
  limits,
  type Pool,
  type PoolConduct,
  type PoolFacts,
  type PoolPolicy,
  type PoolRecord,
  poolName,
  type ScalingWish,
} from "@zfarm/contract";
import { plainMask, readFieldMask } from "./field-mask.ts";
import type { Fault, Violations } from "./violations.ts";

export interface StandingPolicy {
  readonly policy: PoolPolicy;
  /** 0n where nothing was written yet. */
  readonly revision: bigint;
}

export function conductOf({ policy, revision }: StandingPolicy): PoolConduct {
  const { pool, ...conduct } = policy;
  return { name: poolName(pool), ...conduct, etag: String(revision) };
}

export function poolOf(standing: StandingPolicy, record: PoolRecord | undefined): Pool {
  const conduct = conductOf(standing);
  return { name: conduct.name, facts: record && factsOf(record), conduct };
}

/** What holds for a pool that nobody wrote a policy for. */
export function plainPoolPolicy(pool: string): PoolPolicy {
  return { pool, draining: false, speculateAfter: 0 };
}

const maskPaths = ["speculate_after", "scaling"] as const;

type ConductPath = (typeof maskPaths)[number];

/** What an update changes: what its mask names, else what it brings. */
export function readConductMask(
  mask: readonly string[] | undefined,
  { scaling }: PoolConduct,
  violations: Violations,
): ReadonlySet<ConductPath> {
  if (mask === undefined) {
    return new Set(scaling === undefined ? ["speculate_after"] : maskPaths);
  }
  return readFieldMask(mask, plainMask(maskPaths), violations);
}

/** What the mask leaves out is not looked at: a client may send back the conduct as it got it. */
export function checkConduct(
  { speculateAfter, scaling }: PoolConduct,
  paths: ReadonlySet<ConductPath>,
  violations: Violations,
): void {
  if (paths.has("speculate_after")) {
    violations.add("conduct.speculate_after", checkSpeculateAfter(speculateAfter));
  }
  if (paths.has("scaling") && scaling !== undefined) checkScaling(scaling, violations);
}

/** The policy with what the update brings. */
export function changeConduct(
  policy: PoolPolicy,
  { speculateAfter, scaling }: PoolConduct,
  paths: ReadonlySet<ConductPath>,
): PoolPolicy {
  return {
    ...policy,
    ...(paths.has("speculate_after") ? { speculateAfter } : {}),
    ...(paths.has("scaling") ? { scaling } : {}),
  };
}

/** 0 is off; NaN is in no range. */
function checkSpeculateAfter(factor: number): Fault | undefined {
  const { speculateAfterMin: min, speculateAfterMax: max } = limits;
  if (factor === 0 || (factor >= min && factor <= max)) return undefined;
  return { reason: "OUT_OF_RANGE", description: `is ${factor}; 0, or from ${min} to ${max}` };
}

function checkScaling({ workersMin, workersMax }: ScalingWish, violations: Violations): void {
  violations.add("conduct.scaling.workers_min", checkWorkers(workersMin));
  violations.add("conduct.scaling.workers_max", checkWorkers(workersMax));
  if (workersMin === undefined || workersMax === undefined || workersMin <= workersMax) return;
  const description = `is ${workersMin}, above workers_max, which is ${workersMax}`;
  violations.add("conduct.scaling.workers_min", { reason: "OUT_OF_RANGE", description });
}

function checkWorkers(workers: number | undefined): Fault | undefined {
  if (workers === undefined || workers <= limits.workersMax) return undefined;
  const description = `is ${workers}; allowed are 0 to ${limits.workersMax}`;
  return { reason: "OUT_OF_RANGE", description };
}

/** What pools say of themselves, without what only admission needs. */
function factsOf(record: PoolRecord): PoolFacts {
  return {
    model: record.model,
    modelDigest: record.modelDigest,
    sizeMultiple: record.sizeMultiple,
    pixelsMax: record.pixelsMax,
    stepsDefault: record.stepsDefault,
    widthDefault: record.widthDefault,
    heightDefault: record.heightDefault,
    rankBudget: record.rankBudget,
    takesGuidance: record.guidance !== undefined,
  };
}
