/**
 * One test per mistake that reimplementations of this model are known to make. Each shows that the
 * right way agrees with the reference or with arithmetic by hand, and that the mistake would not.
 */
import { describe, expect, test } from "vitest";
import { expectClose, expectSameBits, maxDifference } from "../../test/expect-tensor.ts";
import { type WeightEdit, writeTransformer } from "../../test/filled-checkpoint.ts";
import { fillWeight } from "../../test/hash-filler.ts";
import { tinyCaption, tinyCase, tinyTransformer } from "../../test/tiny-networks.ts";
import { invariant } from "../invariant.ts";
import { RefinedCaptions } from "../networks/refined-captions.ts";
import {
  captionPositions,
  imagePositions,
  type Position,
  rotatePositions,
} from "../networks/rope.ts";
import { type Feeds, openSession } from "../networks/session.ts";
import { embedTimestep } from "../networks/timestep-embedding.ts";
import { openTransformer, type TransformerBatch } from "../networks/transformer.ts";
import { transformerFeeds } from "../networks/transformer-feeds.ts";
import { positionHeads } from "./attention.ts";
import { buildCaptionGraph } from "./caption-graph.ts";
import { Graph } from "./operators.ts";
import { buildTransformerGraph } from "./transformer-graph.ts";

/** References to a few elements are enough to tell a mistake from rounding. */
const mistake = 1e-2;
const firstOfA = [-1.1755584, -1.7707888, -1.0024612, -0.864296];
const firstOfB = [0.9864259, -1.5071745, -0.5116739, -0.7509437];

async function predict(batch: TransformerBatch, edit?: WeightEdit): Promise<Float32Array[]> {
  await using checkpoint = await writeTransformer(tinyTransformer, edit ? { edit } : {});
  const transformer = await openTransformer(tinyTransformer, checkpoint.index, { threads: 2 });
  const outputs = await transformer.predict(batch);
  await transformer.close();
  return outputs;
}

/** Runs a reference case with some of the graph's inputs replaced. */
async function firstWith(name: "A" | "B", replace: (feeds: Feeds) => Feeds): Promise<number[]> {
  await using checkpoint = await writeTransformer(tinyTransformer);
  const { folder } = checkpoint.index;
  const options = { loraSupport: "none" } as const;
  const { model } = buildTransformerGraph(tinyTransformer, checkpoint.index, options);
  const session = await openSession(model, folder);
  const captionGraph = buildCaptionGraph(tinyTransformer, checkpoint.index, options);
  const captionSession = await openSession(captionGraph.model, folder);
  const refined = new RefinedCaptions(tinyTransformer, captionSession, captionGraph);
  const { latents, captions, times, height, width } = tinyCase(name);
  const [latent, caption, time] = [latents[0], captions[0], times[0]];
  invariant(latent && caption && time !== undefined, "the reference cases have one sample");
  const samples = [{ latent, caption: await refined.refine(caption, []), time }];
  const feeds = transformerFeeds({ samples, height, width }, tinyTransformer);
  const output = await session.run({ ...feeds, ...replace(feeds) });
  await refined.close();
  await session.close();
  return Array.from(output.slice(0, 4));
}

function imageAt(positions: readonly Position[]): Feeds {
  const { rows, cos, sin } = rotatePositions(positions, tinyTransformer);
  const dims = [1, rows, cos.length / rows];
  return { image_cos: { data: cos, dims }, image_sin: { data: sin, dims } };
}

const same = (): Feeds => ({});

describe("trap 1: pads to 32 rows are attended, other samples' rows are not", () => {
  const double =
    (tensor: string): WeightEdit =>
    (name, values) =>
      name === tensor ? values.map((value) => 2 * value) : values;

  test("caption pads count where there are any", async () => {
    for (const [name, counts] of [
      ["A", true],
      ["C", false],
    ] as const) {
      const [plain] = await predict(tinyCase(name));
      const [edited] = await predict(tinyCase(name), double("cap_pad_token"));
      expect(maxDifference(plain, edited) > mistake).toBe(counts);
    }
  });

  test("image pads count where there are any", async () => {
    for (const [name, counts] of [
      ["A", false],
      ["C", true],
    ] as const) {
      const [plain] = await predict(tinyCase(name));
      const [edited] = await predict(tinyCase(name), double("x_pad_token"));
      expect(maxDifference(plain, edited) > mistake).toBe(counts);
    }
  });

  test("a longer caption beside it changes nothing", async () => {
    const { latents, captions, times, ...sizes } = tinyCase("A");
    const both = await predict({
      ...sizes,
      latents: [...latents, ...latents],
      captions: [...captions, tinyCaption("longer", 37)],
      times: [...times, 0.25],
    });

    expectSameBits(both[0], (await predict(tinyCase("A")))[0]);
    expectClose(both[0]?.slice(0, 4), firstOfA);
  });
});

test("trap 2: the image stands one step after its own padded caption", async () => {
  const grid = { rows: 8, columns: 8 };
  const shared = imagePositions({ ...grid, captionRows: 64 });
  const unpadded = imagePositions({ ...grid, captionRows: 16 });

  expect(imagePositions({ ...grid, captionRows: 32 })[9]).toEqual([33, 1, 1]);
  expectClose(await firstWith("A", same), firstOfA);
  for (const wrong of [shared, unpadded]) {
    const first = await firstWith("A", () => imageAt(wrong));
    expect(maxDifference(first, firstOfA)).toBeGreaterThan(mistake);
  }
});

test("trap 3: image pads stand at the origin", async () => {
  const right = imagePositions({ rows: 3, columns: 5, captionRows: 64 });
  const wrong = right.map((position): Position => (position[0] === 0 ? [65, 2, 4] : position));
  const first = await firstWith("B", () => imageAt(wrong));

  expect(right.slice(15)).toEqual(Array.from({ length: 17 }, () => [0, 0, 0]));
  expectClose(await firstWith("B", () => imageAt(right)), firstOfB);
  expect(maxDifference(first, firstOfB)).toBeGreaterThan(mistake);
});

test("trap 4: the transformer turns neighbours, Qwen3 turns halves", async () => {
  const turn = async (pairing: "interleaved" | "halves"): Promise<number[]> => {
    const graph = new Graph({ folder: "/", tensors: new Map() });
    const rows = graph.input("rows", "float", [1, 1, 4]);
    const rotation = {
      cos: graph.input("cos", "float", [1, 1, 2]),
      sin: graph.input("sin", "float", [1, 1, 2]),
    };
    const scale = graph.constant("float", [4], [1, 1, 1, 1]);
    const spec = { heads: 1, headDim: 4, scale, epsilon: 0, pairing };
    graph.output("turned", positionHeads(graph, rows, { spec, rotation }), [1, 1, 4]);
    const session = await openSession(graph.toBytes("rope"), "/");
    const output = await session.run({
      rows: { data: Float32Array.of(1, 0, 0, 0), dims: [1, 1, 4] },
      cos: { data: Float32Array.of(0, 1), dims: [1, 1, 2] },
      sin: { data: Float32Array.of(1, 0), dims: [1, 1, 2] },
    });
    await session.close();
    return [...output];
  };

  // A quarter turn of the first pair; the norm of [1, 0, 0, 0] is [2, 0, 0, 0].
  expectClose(await turn("interleaved"), [0, 2, 0, 0]);
  expectClose(await turn("halves"), [0, 0, 2, 0]);
});

test("trap 5: cosines come before sines in the time embedding", async () => {
  const swapped = await firstWith("B", ({ time }) => {
    const data = time?.data as Float32Array;
    const row = [...data.slice(128, 256), ...data.slice(0, 128)];
    return { time: { data: Float32Array.from([...row, ...row]), dims: [1, 2, 256] } };
  });

  expectClose(await firstWith("B", same), firstOfB);
  expect(maxDifference(swapped, firstOfB)).toBeGreaterThan(mistake);
});

describe("trap 6: the time embedding is raw in the blocks, activated in the final layer", () => {
  const silu = (value: number): number => value / (1 + Math.exp(-value));
  const raw = (value: number): number => value;

  /** Makes the time embedding a constant of every element, so that its use folds into a bias. */
  const level = -1.5;
  const constantTime: WeightEdit = (name, values) => {
    if (name === "t_embedder.mlp.2.weight") return values.map(() => 0);
    return name === "t_embedder.mlp.2.bias" ? values.map(() => level) : values;
  };

  const folded =
    (inBlocks: typeof raw, inFinal: typeof raw): WeightEdit =>
    (name, values) => {
      const [, module, part] = /(.*adaLN_modulation\.[01])\.(weight|bias)$/.exec(name) ?? [];
      if (module === undefined) return constantTime(name, values);
      if (part === "weight") return values.map(() => 0);
      const input = (module.includes("final") ? inFinal : inBlocks)(level);
      const weight = fillWeight(`${module}.weight`, [values.length, 32]);
      return values.map((bias, row) => {
        const sum = weight.slice(32 * row, 32 * row + 32).reduce((total, value) => total + value);
        return bias + input * sum;
      });
    };

  test("and only so", async () => {
    const [output] = await predict(tinyCase("B"), constantTime);
    const withFold = async (edit: WeightEdit) => (await predict(tinyCase("B"), edit))[0];

    expect(maxDifference(output, await withFold(folded(raw, silu)))).toBeLessThan(1e-4);
    expect(maxDifference(output, await withFold(folded(silu, silu)))).toBeGreaterThan(mistake);
    expect(maxDifference(output, await withFold(folded(raw, raw)))).toBeGreaterThan(mistake);
  });
});

describe("trap 7: modulation is scale, gate, scale, gate; 1 + scale, tanh(gate)", () => {
  type Four = readonly [number, number, number, number];

  /** Gives the main layers a constant modulation, and one of their weights another value. */
  const modulated = async (four: Four, changed?: string): Promise<Float32Array | undefined> => {
    const edit: WeightEdit = (name, values) => {
      if (!name.startsWith("layers.")) return values;
      if (name.endsWith("adaLN_modulation.0.weight")) return values.map(() => 0);
      if (name.endsWith("adaLN_modulation.0.bias")) {
        return values.map((_, index) => four[Math.floor(index / 32)] ?? 0);
      }
      return changed !== undefined && name.includes(changed) ? values.map((v) => v + 0.3) : values;
    };
    return (await predict(tinyCase("C"), edit))[0];
  };
  const depends = async (four: Four, weight: string): Promise<boolean> =>
    maxDifference(await modulated(four), await modulated(four, weight)) > mistake;

  test("the second opens the attention and the fourth the feed-forward branch", async () => {
    expect(await depends([0, 1, 0, 0], "to_v")).toBe(true);
    expect(await depends([0, 1, 0, 0], "w2")).toBe(false);
    expect(await depends([0, 0, 0, 1], "to_v")).toBe(false);
    expect(await depends([0, 0, 0, 1], "w2")).toBe(true);
  });

  test("a scale of -1 silences its branch and 0 does not", async () => {
    expect(await depends([-1, 1, 0, 0], "to_v")).toBe(false);
    expect(await depends([0, 0, -1, 1], "w2")).toBe(false);
  });

  test("a gate saturates", async () => {
    expectSameBits(await modulated([0, 20, 0, 20]), await modulated([0, 40, 0, 40]));
    const smaller = await modulated([0, 0.5, 0, 0.5]);
    expect(maxDifference(smaller, await modulated([0, 20, 0, 20]))).toBeGreaterThan(mistake);
  });
});

test("trap 8: the prediction is raw; negating it is the sampler's part", async () => {
  const [output] = await predict(tinyCase("A"));

  expectClose(output?.slice(0, 4), firstOfA);
});

test("trap 9: the time is 1 - sigma, and scaled by 1000 inside", async () => {
  const clean = embedTimestep(1, 1000);

  expectClose(clean.slice(0, 4), [0.5623791, 0.7896267, 0.4399279, -0.0236452], 1e-6);
  expectClose(clean.slice(128, 132), [0.8268796, 0.6135876, -0.8980331, 0.9997204], 1e-6);
  // Case A is pure noise, sigma 1; taking sigma for the time would be far off.
  const [wrong] = await predict({ ...tinyCase("A"), times: [1] });
  expect(maxDifference(wrong?.slice(0, 4), firstOfA)).toBeGreaterThan(mistake);
});

describe("trap 12: inside a patch the order is row, column, channel", () => {
  const [row, column, channel] = [1, 0, 3];
  const feature = (row * 2 + column) * 16 + channel;
  const at = (c: number, y: number, x: number): number => (c * 8 + y) * 8 + x;

  test("when patches are made", async () => {
    const one: WeightEdit = (name, values) =>
      name === "all_x_embedder.2-1.weight"
        ? values.map((value, index) => (index % 64 === feature ? value : 0))
        : values;
    const { latents, ...rest } = tinyCase("C");
    const moved = (index: number) => latents.map((latent) => latent.with(index, 9));
    const [plain] = await predict({ latents, ...rest }, one);
    const [seen] = await predict({ ...rest, latents: moved(at(channel, row, column)) }, one);
    const [unseen] = await predict({ ...rest, latents: moved(at(channel, column, row)) }, one);

    expect(maxDifference(plain, seen)).toBeGreaterThan(mistake);
    expectSameBits(unseen, plain);
  });

  test("when patches are unfolded", async () => {
    const numbered: WeightEdit = (name, values) => {
      if (name === "all_final_layer.2-1.linear.weight") return values.map(() => 0);
      return name === "all_final_layer.2-1.linear.bias" ? values.map((_, at) => at) : values;
    };
    const [output] = await predict(tinyCase("C"), numbered);

    expect(output?.[at(channel, row, column)]).toBe(feature);
    expect(output?.[at(channel, 6 + row, 4 + column)]).toBe(feature);
  });
});

test("trap 13: a caption may be as long as axes_lens says, not as a default of 1024", async () => {
  const config = { ...tinyTransformer, axesLens: [1536, 512, 512] as const };
  await using checkpoint = await writeTransformer(config);
  const transformer = await openTransformer(config, checkpoint.index);
  const withCaption = (length: number) =>
    transformer.predict({ ...tinyCase("C"), captions: [tinyCaption("long", length)] });

  expect((await withCaption(1500))[0]).toHaveLength(16 * 64);
  await expect(withCaption(1505)).rejects.toMatchObject({ field: "captions[0].length" });
  expect(captionPositions(64).at(-1)).toEqual([64, 0, 0]);
  await transformer.close();
});

test("trap 15: branches beyond the range of fp16 do not overflow", async () => {
  const batch = tinyCase("A");
  const factor = 2 ** 20;
  const ends = [".attention.to_out.0.weight", ".feed_forward.w2.weight"];
  const isBranchEnd = (name: string): boolean =>
    !name.startsWith("context") && ends.some((end) => name.endsWith(end));
  const [plain] = await predict(batch);
  const [scaled] = await predict(batch, (name, values) =>
    isBranchEnd(name) ? values.map((value) => value * factor) : values,
  );

  expect(factor).toBeGreaterThan(65_504);
  expect(scaled?.every(Number.isFinite)).toBe(true);
  // The norm behind each branch takes the factor out again, all but the share of its epsilon.
  expect(maxDifference(scaled, plain)).toBeGreaterThan(0);
  expect(maxDifference(scaled, plain)).toBeLessThan(mistake / 10);
});
