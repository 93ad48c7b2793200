import type { Guidance, PoolRecord } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { plainPool as turbo } from "../../test/builders.ts";
import { checkGuidance, fillGuidance } from "./guidance-rules.ts";
import { Violations } from "./violations.ts";

const base: PoolRecord = { ...turbo, pool: "base", guidance: { scaleDefault: 4 } };

const guidance = (fields: Partial<Guidance> = {}): Guidance => ({
  scale: 4,
  negativePrompt: "",
  normalization: 0,
  truncation: undefined,
  ...fields,
});

function faults(wish: Guidance, pool: PoolRecord | undefined): string[] {
  const violations = new Violations();
  checkGuidance(wish, { path: "image", pool }, violations);
  if (violations.count === 0) return [];
  return violations.toError().violations.map(({ field, reason }) => `${field} ${reason}`);
}

describe("checkGuidance", () => {
  test("lets the base model be guided by a prompt of what is not wanted", () => {
    expect(faults(guidance({ negativePrompt: "blurry", truncation: 0.5 }), base)).toEqual([]);
  });

  test("refuses guidance of a distilled model, unless it is off", () => {
    expect(faults(guidance(), turbo)).toEqual(["image.guidance UNSUPPORTED"]);
    expect(faults(guidance({ scale: 0 }), turbo)).toEqual([]);
  });

  test("does not guess what a pool takes that was never seen", () => {
    expect(faults(guidance(), undefined)).toEqual([]);
  });

  test.each([
    ["scale", { scale: 20.5 }, "OUT_OF_RANGE"],
    ["scale", { scale: Number.NaN }, "OUT_OF_RANGE"],
    ["scale", { scale: 0, negativePrompt: "blurry" }, "REQUIRED"],
    ["normalization", { normalization: -0.5 }, "OUT_OF_RANGE"],
    ["truncation", { truncation: 2 }, "OUT_OF_RANGE"],
    ["negative_prompt", { negativePrompt: "a\u0007" }, "CONTROL_CHARACTER"],
    ["negative_prompt", { negativePrompt: "a".repeat(9_000) }, "TOO_LONG"],
  ])("names %s for %j", (field, fields, reason) => {
    expect(faults(guidance(fields), base)).toEqual([`image.guidance.${field} ${reason}`]);
  });
});

describe("fillGuidance", () => {
  test("takes the pool's scale where nothing is said", () => {
    expect(fillGuidance(undefined, base)).toEqual(guidance({ truncation: 1 }));
    expect(fillGuidance(undefined, turbo)).toBeUndefined();
  });

  test("keeps what is said, a scale of 0 above all", () => {
    const off = guidance({ scale: 0 });

    expect(fillGuidance(off, base)).toEqual({ ...off, truncation: 1 });
  });
});
