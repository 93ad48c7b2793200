/** The options that lead a picture away from something, parsed and bounded. */
import type { GuidanceWish } from "@zfarm/client";
import { limits } from "@zfarm/contract";
import { UsageError } from "./usage-error.ts";

/** As node:util's parseArgs wants them. */
export const guidanceOptionTable = {
  guidance: { type: "string" },
  negative: { type: "string" },
  normalization: { type: "string" },
  truncation: { type: "string" },
} as const;

type RawOptions = { readonly [Name in keyof typeof guidanceOptionTable]?: string | undefined };

/** Undefined where nothing is said: the pool's default then holds. Throws UsageError. */
export function parseGuidance(raw: RawOptions): GuidanceWish | undefined {
  const scale = parseNumber("--guidance", raw.guidance, limits.guidanceScaleMax);
  if (scale === undefined) {
    const alone = (["negative", "normalization", "truncation"] as const).find(
      (name) => raw[name] !== undefined,
    );
    if (alone === undefined) return undefined;
    throw new UsageError(`--${alone} acts with --guidance only, for example --guidance 4`);
  }
  return {
    scale,
    negativePrompt: raw.negative,
    normalization: parseNumber(
      "--normalization",
      raw.normalization,
      limits.guidanceNormalizationMax,
    ),
    truncation: parseNumber("--truncation", raw.truncation, 1),
  };
}

function parseNumber(option: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,4}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  throw new UsageError(`${option} ${text}: must be a number from 0 to ${max}`);
}
