import { describe, expect, it } from "vitest";
import type { TransformerBatch } from "../networks/transformer.ts";
import { denoiseStep } from "./denoise.ts";
import { guide, isGuided } from "./guidance.ts";
import { sigmaTable } from "./sigmas.ts";

const plain = { scale: 3, normalization: 0, truncation: 1 };

describe("guide", () => {
  it("goes beyond the positive prediction, away from the negative one", () => {
    const guided = guide(Float32Array.of(1, 2), Float32Array.of(0, 3), plain);

    expect(guided).toEqual(Float32Array.of(4, -1));
  });

  it("bounds the norm of the result in norms of the positive prediction", () => {
    const guided = guide(Float32Array.of(3, 4), Float32Array.of(0, 0), {
      ...plain,
      normalization: 2,
    });

    // (12, 16) has the norm 20; twice that of (3, 4) is 10.
    expect(guided).toEqual(Float32Array.of(6, 8));
  });

  it("leaves a result within the bound alone", () => {
    const options = { ...plain, normalization: 4.5 };

    const guided = guide(Float32Array.of(3, 4), Float32Array.of(0, 0), options);

    expect(guided).toEqual(Float32Array.of(12, 16));
  });
});

describe("isGuided", () => {
  it.each([
    [{ ...plain, scale: 0 }, 0, false],
    [{ ...plain, truncation: 0.3 }, 0.3, true],
    [{ ...plain, truncation: 0.3 }, 0.31, false],
    [plain, 1, true],
    [undefined, 0, false],
  ])("of %j at time %d is %s", (guidance, time, expected) => {
    expect(isGuided(guidance, time)).toBe(expected);
  });
});

describe("denoiseStep with guidance", () => {
  /** Predicts the caption's first value everywhere, and keeps what it was asked. */
  function recordingTransformer() {
    const batches: TransformerBatch[] = [];
    const predict = async (batch: TransformerBatch) => {
      batches.push(batch);
      return batch.captions.map(({ data }) => new Float32Array(4).fill(data[0] ?? 0));
    };
    return { batches, predict };
  }
  const caption = (value: number) => ({ data: Float32Array.of(value), length: 1 });
  const sample = (guidance?: typeof plain) => ({
    latents: new Float32Array(4),
    latentHeight: 2,
    latentWidth: 2,
    caption: caption(1),
    guidance: guidance && { ...guidance, negative: caption(-1) },
    sigmas: sigmaTable(2, 3),
    stepsDone: 0,
  });

  it("asks for both predictions in one run", async () => {
    const transformer = recordingTransformer();
    const batch = [sample(), sample(plain)];

    await denoiseStep(transformer, batch);

    expect(transformer.batches).toHaveLength(1);
    expect(transformer.batches[0]?.captions.map(({ data }) => data[0])).toEqual([1, 1, -1]);
    // From 1 to 0.75, against the raw output: 1 without guidance, 1 + 3 · 2 with it.
    expect(batch[0]?.latents[0]).toBeCloseTo(0.25, 6);
    expect(batch[1]?.latents[0]).toBeCloseTo(0.25 * 7, 6);
  });

  it("does not run the negative prompt in steps beyond the truncation", async () => {
    const transformer = recordingTransformer();
    const batch = [sample({ ...plain, truncation: 0.1 })];

    await denoiseStep(transformer, batch);
    await denoiseStep(transformer, batch);

    expect(transformer.batches.map(({ captions }) => captions.length)).toEqual([2, 1]);
  });
});
