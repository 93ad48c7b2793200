/** Decides whether a picture can be guided as asked, and how it is guided where it says nothing. */
import { type Guidance, limits, type PoolRecord } from "@zfarm/contract";
import { checkPrompt } from "./check-text.ts";
import type { Fault, Violations } from "./violations.ts";

/** Adds every violation; `path` is where the picture stands. */
export function checkGuidance(
  guidance: Guidance | undefined,
  { path, pool }: { readonly path: string; readonly pool: PoolRecord | undefined },
  violations: Violations,
): void {
  if (guidance === undefined) return;
  const { scale, negativePrompt, normalization, truncation = 1 } = guidance;
  const field = `${path}.guidance`;
  const scaleFault = checkNumber(scale, limits.guidanceScaleMax);
  violations.add(`${field}.scale`, scaleFault ?? checkActs(guidance));
  violations.add(
    `${field}.normalization`,
    checkNumber(normalization, limits.guidanceNormalizationMax),
  );
  violations.add(`${field}.truncation`, checkNumber(truncation, 1));
  if (negativePrompt !== "") {
    violations.add(`${field}.negative_prompt`, checkPrompt(negativePrompt));
  }
  if (scaleFault === undefined && scale > 0) violations.add(field, checkSupport(pool));
}

/** The guidance that the picture gets, with nothing left open. */
export function fillGuidance(
  guidance: Guidance | undefined,
  pool: PoolRecord,
): Guidance | undefined {
  if (guidance !== undefined) return { ...guidance, truncation: guidance.truncation ?? 1 };
  const scale = pool.guidance?.scaleDefault ?? 0;
  if (scale === 0) return undefined;
  return { scale, negativePrompt: "", normalization: 0, truncation: 1 };
}

/** Not a number is refused as well: it is neither above nor below. */
function checkNumber(value: number, max: number): Fault | undefined {
  if (value >= 0 && value <= max) return undefined;
  return { reason: "OUT_OF_RANGE", description: `is ${value}; allowed are 0 to ${max}` };
}

/** A negative prompt that nobody reads is a mistake that its writer would not notice. */
function checkActs({ scale, negativePrompt }: Guidance): Fault | undefined {
  if (scale > 0 || negativePrompt === "") return undefined;
  return { reason: "REQUIRED", description: "must be above 0 for a negative prompt to act" };
}

function checkSupport(pool: PoolRecord | undefined): Fault | undefined {
  if (pool === undefined || pool.guidance !== undefined) return undefined;
  const description = `pool ${pool.pool} has a distilled model, which takes no guidance`;
  return { reason: "UNSUPPORTED", description };
}
