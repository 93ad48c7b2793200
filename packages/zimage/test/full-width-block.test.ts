/**
 * One block of the released transformer's width with random weights, in every form of weights: the
 * error of each, and that a sample's bits do not depend on its batch where sums are long.
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TransformerConfig } from "../src/config.ts";
import { expectedTransformerTensors } from "../src/model/expected-tensors.ts";
import { releasedTransformer } from "../src/model/released-configs.ts";
import { openTransformer, type TransformerBatch } from "../src/networks/transformer.ts";
import { openTensorIndex } from "../src/weights/open-tensor-index.ts";
import { narrowToBf16 } from "../src/weights/quantize.ts";
import type { TensorIndex } from "../src/weights/tensor-index.ts";
import { expectSameBits } from "./expect-tensor.ts";
import { fillInput, fillWeight, hashName } from "./hash-filler.ts";
import { writePrepared } from "./prepared-checkpoint.ts";
import { relativeError } from "./relative-error.ts";
import { headerOf } from "./safetensors-writer.ts";
import { tinyAdapter } from "./tiny-networks.ts";

const config: TransformerConfig = {
  ...releasedTransformer,
  layers: 1,
  refinerLayers: 0,
  captionDim: 64,
};

const modules = ["attention.to_q", "feed_forward.w2", "adaLN_modulation.0"].map(
  (module) => `layers.0.${module}`,
);
const adapter = tinyAdapter("wide", modules, { rank: 20, config });

/** Two samples that share a run and one that does not; one of them has an adapter. */
const batch: TransformerBatch = {
  height: 8,
  width: 12,
  latents: [0, 1, 2].map((at) => fillInput(`latent ${at}`, 16 * 8 * 12)),
  captions: [9, 20, 40].map((length) => ({
    data: fillInput(`caption ${length}`, length * config.captionDim),
    length,
  })),
  times: [0, 0.3, 0.7],
  loras: [[], [{ adapter, strength: 0.5 }], []],
};

let folder: string;
let source: TensorIndex;
let exact: Float32Array[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zimage-wide-"));
  await writeBfloats(join(folder, "model.safetensors"));
  source = (await openTensorIndex({ folder, stem: "model" })).index;
  exact = await predict(source, "load");
}, 120_000);

afterAll(() => rm(folder, { recursive: true }));

async function predict(index: TensorIndex, conversion: "load" | "run"): Promise<Float32Array[]> {
  const transformer = await openTransformer(config, index, { threads: 2, conversion });
  try {
    const together = await transformer.predict(batch);
    for (const at of batch.latents.keys()) {
      expectSameBits((await transformer.predict(only(at)))[0], together[at]);
    }
    return together;
  } finally {
    await transformer.close();
  }
}

function only(at: number): TransformerBatch {
  const pick = <T>(items: readonly T[] = []): T[] => items.slice(at, at + 1);
  return {
    ...batch,
    latents: pick(batch.latents),
    captions: pick(batch.captions),
    times: pick(batch.times),
    loras: pick(batch.loras),
  };
}

function worstError(outputs: readonly Float32Array[]): number {
  return Math.max(...outputs.map((output, at) => relativeError(output, exact[at])));
}

test("bf16 weights that are converted in each run are those converted at load", async () => {
  expect(worstError(await predict(source, "run"))).toBeLessThan(1e-5);
}, 120_000);

test.each([
  ["int8", 0.015],
  ["int4", 0.12],
] as const)(
  "%s weights are within %s of float32",
  async (weights, errorMax) => {
    await using prepared = await writePrepared(source, weights);
    expect(worstError(await predict(prepared.index, "run"))).toBeLessThan(errorMax);
  },
  120_000,
);

/** Matrices are normal in shape, nearly: the sum of four even numbers. */
async function writeBfloats(path: string): Promise<void> {
  const shapes = expectedTransformerTensors(config).required;
  await using file = await open(path, "w");
  await file.write(headerOf([...shapes].map(([name, shape]) => ({ name, dtype: "BF16", shape }))));
  for (const [name, shape] of shapes) {
    const isSmall = shape.length < 2 || shape.includes(1);
    const values = narrowToBf16(isSmall ? fillWeight(name, shape) : fillNormal(name, shape));
    await file.write(new Uint8Array(values.buffer));
  }
}

function fillNormal(name: string, [out = 0, fanIn = 0]: readonly number[]): Float32Array {
  const values = new Float32Array(out * fanIn);
  // Each byte has the variance 256² / 12.
  const scale = Math.sqrt(12 / 4 / fanIn) / 256;
  let state = hashName(name);
  for (let at = 0; at < values.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const sum = (state & 255) + ((state >>> 8) & 255) + ((state >>> 16) & 255) + (state >>> 24);
    values[at] = (sum - 510) * scale;
  }
  return values;
}
