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
import { tinyAdapter, tinyProducts } from "./tiny-networks.ts";

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
const products = tinyProducts("products", modules, config);

/** Two samples that share a run and two that do not; two of them have an adapter. */
const batch: TransformerBatch = {
  height: 8,
  width: 12,
  latents: [0, 1, 2, 3].map((at) => fillInput(`latent ${at}`, 16 * 8 * 12)),
  captions: [9, 20, 40, 9].map((length) => ({
    data: fillInput(`caption ${length}`, length * config.captionDim),
    length,
  })),
  times: [0, 0.3, 0.7, 0.3],
  loras: [[], [{ adapter, strength: 0.5 }], [], [{ adapter: products, strength: 0.1 }]],
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

test("a Kronecker product is the low-rank pair that it is equal to", async () => {
  const [name = ""] = modules;
  const [first, second] = [fillInput("w1", 16, 0.2), fillInput("w2 of rank 1", 2 * 960, 0.2)];
  const [left, right] = [second.subarray(0, 960), second.subarray(960)];
  const outer = Float32Array.from({ length: 960 * 960 }, (_, at) => {
    return (left[Math.floor(at / 960)] ?? 0) * (right[at % 960] ?? 0);
  });
  const factors = new Float32Array(16 + outer.length);
  factors.set(first);
  factors.set(outer, 16);
  const sizes = { first: { rows: 4, columns: 4 }, second: { rows: 960, columns: 960 } };
  const product = { ...sizes, factors, scale: 1 };
  // w1 ⊗ (u · v) = (w1 ⊗ u) · (1 ⊗ v).
  const down = new Float32Array(4 * 3840);
  for (let at = 0; at < 4; at += 1) down.set(right, at * (3840 + 960));
  const up = Float32Array.from({ length: 3840 * 4 }, (_, at) => {
    const [row, column] = [Math.floor(at / 4), at % 4];
    return (first[Math.floor(row / 960) * 4 + column] ?? 0) * (left[row % 960] ?? 0);
  });
  const pair = { rank: 4, scale: 1, down, up };
  const loras = [
    [],
    [{ adapter: { id: "pair", modules: new Map([[name, pair]]) }, strength: 1 }],
    [
      {
        adapter: { id: "product", modules: new Map(), products: new Map([[name, product]]) },
        strength: 1,
      },
    ],
  ];
  const one = <T>(items: readonly T[]): T[] => loras.flatMap(() => items.slice(0, 1));
  const { latents, captions, times } = batch;
  const transformer = await openTransformer(config, source, { threads: 2 });
  const [none, paired, multiplied] = await transformer.predict({
    ...batch,
    latents: one(latents),
    captions: one(captions),
    times: one(times),
    loras,
  });
  await transformer.close();

  expect(relativeError(multiplied ?? new Float32Array(), paired)).toBeLessThan(1e-5);
  expect(relativeError(multiplied ?? new Float32Array(), none)).toBeGreaterThan(1e-3);
}, 120_000);

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
