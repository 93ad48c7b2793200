/**
 * Every form of weights that a checkpoint may have: close to float32, and a sample's bits do not
 * depend on its batch.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectSameBits } from "../../test/expect-tensor.ts";
import {
  type Checkpoint,
  writeTextEncoder,
  writeTransformer,
} from "../../test/filled-checkpoint.ts";
import { fillInput } from "../../test/hash-filler.ts";
import { writePrepared } from "../../test/prepared-checkpoint.ts";
import { relativeError } from "../../test/relative-error.ts";
import {
  tinyAdapter,
  tinyCaption,
  tinyCase,
  tinyLoraModules,
  tinyTextEncoder,
  tinyTransformer,
} from "../../test/tiny-networks.ts";
import type { PreparedMode } from "../weights/prepared-format.ts";
import type { LoraStack } from "./lora-batch.ts";
import { openTextEncoder } from "./text-encoder.ts";
import { openTransformer, type Transformer, type TransformerBatch } from "./transformer.ts";

interface Form {
  readonly weights: PreparedMode;
  /** Relative error of the tiny networks; larger ones are measured in `test/`. */
  readonly errorMax: number;
}

const forms: readonly Form[] = [
  { weights: "bf16", errorMax: 0.02 },
  { weights: "int8", errorMax: 0.03 },
  { weights: "int4", errorMax: 0.3 },
];

const adapters = [4, 16, 40].map((rank) =>
  tinyAdapter(`of rank ${rank}`, rank === 16 ? tinyLoraModules.slice(0, 9) : tinyLoraModules, {
    rank: Math.min(rank, 32),
  }),
);

interface Draw {
  readonly captionLength: number;
  readonly time: number;
  readonly stack: LoraStack;
}

const draws = fc.array(
  fc.record({
    captionLength: fc.integer({ min: 1, max: 70 }),
    time: fc.double({ min: 0, max: 1, noNaN: true }),
    stack: fc.array(
      fc.record({
        adapter: fc.constantFrom(...adapters),
        strength: fc.double({ min: -2, max: 2, noNaN: true }),
      }),
      { maxLength: 2 },
    ),
  }),
  { minLength: 2, maxLength: 6 },
);
const side = fc.integer({ min: 1, max: 9 }).map((tokens) => 2 * tokens);

function batchOf(samples: readonly Draw[], height: number, width: number): TransformerBatch {
  return {
    height,
    width,
    latents: samples.map((_, index) => fillInput(`latent ${index}`, 16 * height * width)),
    captions: samples.map((draw, index) => tinyCaption(`caption ${index}`, draw.captionLength)),
    times: samples.map(({ time }) => time),
    loras: samples.map(({ stack }) => stack),
  };
}

describe.each(forms)("$weights weights", ({ weights, errorMax }) => {
  let source: Checkpoint;
  let prepared: Checkpoint;
  let exact: Transformer;
  let transformer: Transformer;

  beforeAll(async () => {
    source = await writeTransformer(tinyTransformer);
    prepared = await writePrepared(source.index, weights);
    exact = await openTransformer(tinyTransformer, source.index, { threads: 2 });
    transformer = await openTransformer(tinyTransformer, prepared.index, { threads: 2 });
  });

  afterAll(async () => {
    await Promise.all([exact.close(), transformer.close()]);
    await Promise.all([source[Symbol.asyncDispose](), prepared[Symbol.asyncDispose]()]);
  });

  test("predict nearly what float32 predicts, with adapters and without", async () => {
    const stack = [{ adapter: tinyAdapter("a", tinyLoraModules), strength: 1 }];
    for (const name of ["A", "B", "C"] as const) {
      for (const loras of [[[]], [stack]]) {
        const batch = { ...tinyCase(name), loras };
        const [output] = await transformer.predict(batch);
        const [wanted] = await exact.predict(batch);
        const error = relativeError(output, wanted);
        expect(error).toBeGreaterThan(0);
        expect(error).toBeLessThan(errorMax);
      }
    }
  });

  test("a sample's bits do not depend on its batch", async () => {
    await fc.assert(
      fc.asyncProperty(draws, side, side, async (samples, height, width) => {
        const together = await transformer.predict(batchOf(samples, height, width));
        for (const [index] of samples.entries()) {
          const batch = batchOf(samples, height, width);
          const only = <T>(items: readonly T[] = []): T[] => items.slice(index, index + 1);
          const [alone] = await transformer.predict({
            ...batch,
            latents: only(batch.latents),
            captions: only(batch.captions),
            times: only(batch.times),
            loras: only(batch.loras),
          });
          expectSameBits(together[index], alone);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("nor on the number of threads", async () => {
    const single = await openTransformer(tinyTransformer, prepared.index, { threads: 1 });
    const [alone] = await single.predict(tinyCase("B"));
    const [two] = await transformer.predict(tinyCase("B"));
    await single.close();

    expectSameBits(two, alone);
  });

  test("encode a prompt nearly as float32 does", async () => {
    await using long = await writeTextEncoder(tinyTextEncoder);
    await using short = await writePrepared(long.index, weights);
    const ids = [Int32Array.from([3, 17, 255, 1, 511, 42, 7, 7, 100, 300, 9])];
    const whole = await openTextEncoder(tinyTextEncoder, long.index, { threads: 2 });
    const encoder = await openTextEncoder(tinyTextEncoder, short.index, { threads: 2 });
    const [wanted] = await whole.encode(ids);
    const [output] = await encoder.encode(ids);
    await Promise.all([whole.close(), encoder.close()]);

    expect(relativeError(output, wanted)).toBeLessThan(errorMax);
  });
});
