import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectRecorded, expectSameBits, maxDifference } from "../../test/expect-tensor.ts";
import { type Checkpoint, writeTransformer } from "../../test/filled-checkpoint.ts";
import { fillInput } from "../../test/hash-filler.ts";
import {
  tinyAdapter,
  tinyCaption,
  tinyCase,
  tinyLoraModules,
  tinyProducts,
  tinyTransformer,
} from "../../test/tiny-networks.ts";
import type { LoraAdapter, LoraStack } from "./lora-batch.ts";
import { openTransformer, type Transformer, type TransformerBatch } from "./transformer.ts";

let checkpoint: Checkpoint;
let transformer: Transformer;

beforeAll(async () => {
  checkpoint = await writeTransformer(tinyTransformer);
  transformer = await openTransformer(tinyTransformer, checkpoint.index, { threads: 2 });
});

afterAll(async () => {
  await transformer.close();
  await checkpoint[Symbol.asyncDispose]();
});

describe("agrees with the reference implementation", () => {
  test("without image pads, at pure noise", async () => {
    const [output] = await transformer.predict(tinyCase("A"));

    expectRecorded(output, {
      first: [-1.1755584, -1.7707888, -1.0024612, -0.864296],
      last: [-1.5136787, 0.6573027, 1.5957338, -0.425876],
      sum: 227.28344,
      l2: 66.354935,
    });
  });

  test("with image and caption pads, on a grid that is not square", async () => {
    const [output] = await transformer.predict(tinyCase("B"));

    expectRecorded(output, {
      first: [0.9864259, -1.5071745, -0.5116739, -0.7509437],
      last: [-0.1550995, 0.7885676, 0.6801571, 0.0049584],
      sum: -49.15564,
      l2: 31.76065,
    });
  });

  test("with a caption that fills its rows, at the clean end", async () => {
    const [output] = await transformer.predict(tinyCase("C"));

    expectRecorded(output, {
      first: [0.3948542, 0.3324783, 0.0191825, 0.599784],
      last: [1.1656578, 0.4952476, 1.4056446, 1.0182763],
      sum: -33.24939,
      l2: 31.759845,
    });
  });

  test("with low-rank updates on every Linear of the main layers", async () => {
    const adapter = tinyAdapter("reference", tinyLoraModules);
    const batch = { ...tinyCase("A"), times: [0.5] };
    const [output] = await transformer.predict({ ...batch, loras: [[{ adapter, strength: 1 }]] });

    const first = [-0.239677, -0.172731, -0.08056, -0.177327];
    expect(maxDifference(output?.slice(0, 4), first)).toBeLessThan(1e-4);
    expect(Math.hypot(...(output ?? []))).toBeCloseTo(63.408437, 3);
  });
});

/** One sample of a random batch, small enough to write down. */
interface Draw {
  readonly captionLength: number;
  readonly time: number;
  readonly stack: LoraStack;
}

const adapters = [
  tinyAdapter("first", tinyLoraModules),
  tinyAdapter("second", tinyLoraModules.slice(3), { rank: 20 }),
  tinyAdapter("third", ["context_refiner.0.attention.to_q", "noise_refiner.0.feed_forward.w1"]),
  tinyAdapter("wide", tinyLoraModules.slice(0, 4), { rank: 32 }),
];

const use = fc.record({
  adapter: fc.constantFrom(...adapters),
  strength: fc.double({ min: -1, max: 2, noNaN: true }),
});
const draws = fc.array(
  fc.record({
    captionLength: fc.integer({ min: 1, max: 100 }),
    time: fc.double({ min: 0, max: 1, noNaN: true }),
    stack: fc.array(use, { maxLength: 3 }),
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

function onlySample(batch: TransformerBatch, index: number): TransformerBatch {
  const only = <T>(items: readonly T[] = []): T[] => items.slice(index, index + 1);
  const { latents, captions, times, loras } = batch;
  return {
    ...batch,
    latents: only(latents),
    captions: only(captions),
    times: only(times),
    loras: only(loras),
  };
}

describe("a sample's bits do not depend on its batch", () => {
  test("whatever captions, times and adapters the others have", async () => {
    await fc.assert(
      fc.asyncProperty(draws, side, side, async (samples, height, width) => {
        const batch = batchOf(samples, height, width);
        const together = await transformer.predict(batch);
        for (const index of samples.keys()) {
          const [alone] = await transformer.predict(onlySample(batch, index));
          expectSameBits(together[index], alone);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("nor on the number of threads", async () => {
    const single = await openTransformer(tinyTransformer, checkpoint.index, { threads: 1 });
    const [alone] = await single.predict(tinyCase("A"));
    const [two] = await transformer.predict(tinyCase("A"));
    await single.close();

    expectSameBits(two, alone);
  });

  test("in a network wide enough for sums in several blocks", async () => {
    const config = { ...tinyTransformer, dim: 320, layers: 1, axesDims: [64, 48, 48] as const };
    await using wide = await writeTransformer(config);
    const network = await openTransformer(config, wide.index, { threads: 2 });
    const modules = tinyLoraModules.slice(0, 8);
    const stacks = [[], [4], [40, 4], [16], [40]].map((ranks) =>
      ranks.map((rank) => ({
        adapter: tinyAdapter(`of rank ${rank}`, modules, { rank, config }),
        strength: 0.7,
      })),
    );
    const samples = stacks.map((stack) => ({ captionLength: 9, time: 0.3, stack }));
    const batch = batchOf(samples, 16, 12);
    const together = await network.predict(batch);
    for (const index of samples.keys()) {
      expectSameBits(together[index], (await network.predict(onlySample(batch, index)))[0]);
    }
    await network.close();
  });
});

describe("low-rank updates", () => {
  test("leave the bits of the bare graph where there are none", async () => {
    const bare = await openTransformer(tinyTransformer, checkpoint.index, { loraSupport: "none" });
    const [expected] = await bare.predict(tinyCase("B"));
    const [output] = await transformer.predict(tinyCase("B"));
    await bare.close();

    expectSameBits(output, expected);
  });

  test("vanish at strength 0", async () => {
    const loras = [[{ adapter: tinyAdapter("a", tinyLoraModules), strength: 0 }]];
    const [output] = await transformer.predict({ ...tinyCase("A"), loras });
    const [plain] = await transformer.predict(tinyCase("A"));

    expectSameBits(output, plain);
  });

  test("add up: twice at half strength is once at full strength", async () => {
    const adapter = tinyAdapter("a", tinyLoraModules);
    const half = { adapter, strength: 0.5 };
    const [twice] = await transformer.predict({ ...tinyCase("A"), loras: [[half, half]] });
    const once = await transformer.predict({
      ...tinyCase("A"),
      loras: [[{ adapter, strength: 1 }]],
    });

    expectSameBits(twice, once[0]);
  });

  test("trap 17: are refused, not ignored, for an unknown module", async () => {
    const factors = { rank: 1, scale: 1, down: new Float32Array(32), up: new Float32Array(96) };
    const modules = new Map([["layers.1.attention.qkv", factors]]);
    const stack = [{ adapter: { id: "fused", modules }, strength: 1 }];

    await expect(transformer.predict({ ...tinyCase("A"), loras: [stack] })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      field: "loras.layers.1.attention.qkv",
    });
  });
});

describe("Kronecker products", () => {
  const products = tinyProducts("products", [
    "layers.0.attention.to_q",
    "layers.1.adaLN_modulation.0",
    "context_refiner.0.attention.to_v",
  ]);
  const use = (adapter: LoraAdapter, strength = 0.7): LoraStack => [{ adapter, strength }];
  let both: Transformer;
  beforeAll(async () => {
    const options = { threads: 2, loraSupport: "pairs and products" } as const;
    both = await openTransformer(tinyTransformer, checkpoint.index, options);
  });
  afterAll(() => both.close());

  test("leave the bits of a graph without inputs for them where there are none", async () => {
    const [pair] = adapters;
    const paired = use(pair ?? products);
    const draw = (stacks: readonly LoraStack[]): TransformerBatch =>
      batchOf(
        stacks.map((stack, at) => ({ captionLength: 9 + at, time: 0.3, stack })),
        16,
        12,
      );
    const outputs = await both.predict(draw([[], paired, use(products, 0)]));
    const expected = await transformer.predict(draw([[], paired, []]));

    for (const [at, output] of outputs.entries()) expectSameBits(output, expected[at]);
  });

  test("beside other samples give the bits that each sample has alone", async () => {
    const wide = tinyAdapter("wide", tinyLoraModules.slice(0, 4), { rank: 20 });
    const other = tinyProducts("others", ["layers.0.attention.to_q", "layers.0.attention.to_k"]);
    const stacks = [
      [],
      use(products),
      [...use(products), ...use(wide), ...use(other, -1)],
      use(wide),
      use(products, 1.3),
    ];
    const samples = stacks.map((stack) => ({ captionLength: 9, time: 0.3, stack }));
    const batch = batchOf(samples, 16, 12);
    const together = await both.predict(batch);

    for (const index of samples.keys()) {
      expectSameBits(together[index], (await both.predict(onlySample(batch, index)))[0]);
    }
    const [none, one, three] = together;
    expect(maxDifference(one, none ?? [])).toBeGreaterThan(1e-3);
    expect(maxDifference(three, one ?? [])).toBeGreaterThan(1e-3);
  });

  test("are refused by a graph that takes none, and for a module of another size", async () => {
    const wider = { ...tinyTransformer, dim: 64 };
    const misfit = tinyProducts("other", ["layers.0.attention.to_q"], wider);
    const draw = async (network: Transformer, adapter: LoraAdapter): Promise<unknown> =>
      await network.predict({ ...tinyCase("A"), loras: [use(adapter)] });

    await expect(draw(transformer, products)).rejects.toMatchObject({ field: "loras" });
    await expect(draw(both, misfit)).rejects.toMatchObject({
      code: "INPUT_INVALID",
      field: "loras.layers.0.attention.to_q.out",
    });
  });
});

describe("refuses what is outside its bounds and names the field", () => {
  const caseA = tinyCase("A");
  test.each([
    ["latents", { latents: [] }],
    ["latents[0]", { latents: [new Float32Array(5)] }],
    ["captions", { captions: [] }],
    ["captions[0].length", { captions: [tinyCaption("long", 225)] }],
    ["captions[0].length", { captions: [tinyCaption("none", 0)] }],
    ["captions[0].data", { captions: [{ data: new Float32Array(5), length: 2 }] }],
    ["times", { times: [0, 1] }],
    ["times[0]", { times: [1.5] }],
    ["times[0]", { times: [Number.NaN] }],
    ["height", { height: 15 }],
    ["width", { width: 66 }],
    ["loras", { loras: [] }],
  ] satisfies [string, Partial<TransformerBatch>][])("%s", async (field, change) => {
    await expect(transformer.predict({ ...caseA, ...change })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      field,
    });
  });
});

test("weights stored as bfloat16 are the same network as their float32 values", async () => {
  const cut = (_: string, values: Float32Array): Float32Array =>
    new Float32Array(new Uint32Array(values.buffer).map((bits) => bits & 0xffff0000).buffer);
  await using short = await writeTransformer(tinyTransformer, { dtype: "BF16" });
  await using long = await writeTransformer(tinyTransformer, { edit: cut });
  const [stored, widened] = [
    await openTransformer(tinyTransformer, short.index),
    await openTransformer(tinyTransformer, long.index),
  ];
  const [output] = await stored.predict(tinyCase("A"));
  const [expected] = await widened.predict(tinyCase("A"));
  await Promise.all([stored.close(), widened.close()]);

  expectSameBits(output, expected);
});
