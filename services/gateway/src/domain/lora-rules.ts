/** Decides whether a picture may name its adapters as it does; whether they exist is not asked. */
import { type LoraUse, limits, nameRule, parseLoraUse, versionRule } from "@zfarm/contract";
import { checkCount } from "./lora-about.ts";
import type { Fault, Violations } from "./violations.ts";

/** Adds every violation; `path` is where they stand, for example `images[3].loras`. */
export function checkLoras(uses: readonly LoraUse[], path: string, violations: Violations): void {
  const count = checkCount(uses.length, limits.imageLorasMax);
  violations.add(path, count);
  if (count !== undefined) return;
  const seen = new Set<string>();
  for (const [index, { lora, weight }] of uses.entries()) {
    const named = parseLoraUse(lora) === undefined ? badUse : undefined;
    violations.add(`${path}[${index}].lora`, named ?? checkRepeated(lora, seen));
    violations.add(`${path}[${index}].weight`, checkWeight(weight));
    seen.add(lora);
  }
}

/** Of two names for one file only looking them up can tell. */
export function checkRepeated(lora: string, seen: ReadonlySet<string>): Fault | undefined {
  if (!seen.has(lora)) return undefined;
  const description = "comes twice; give one of them the sum of their weights";
  return { reason: "DUPLICATE", description };
}

/** Of a text that names an adapter in none of the ways that a picture can. */
export const badUse: Fault = {
  reason: "BAD_NAME",
  description:
    "must be a name, a name@version or a SHA-256; " +
    `a name is ${nameRule}, a version ${versionRule}`,
};

function checkWeight(weight: number | undefined): Fault | undefined {
  const max = limits.loraWeightMax;
  // NaN compares as false.
  if (weight === undefined || Math.abs(weight) <= max) return undefined;
  return { reason: "OUT_OF_RANGE", description: `is ${weight}; allowed are -${max} to ${max}` };
}
