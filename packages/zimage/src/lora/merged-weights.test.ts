// An adapter from a file must draw what the same model draws with the update merged into its
// weights. The merge is made here from the definitions, not from what the reader made of the file.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Checkpoint, writeTransformer } from "../../test/filled-checkpoint.ts";
import { fillInput } from "../../test/hash-filler.ts";
import { encodeLoraFile, type FileTensor, spellings } from "../../test/lora-files.ts";
import { tinyAdapter, tinyCase, tinyTransformer } from "../../test/tiny-networks.ts";
import type { LoraUse } from "../networks/lora-batch.ts";
import { openTransformer, type Transformer } from "../networks/transformer.ts";
import { memorySource } from "../weights/byte-source.ts";
import { loraArchitectureOf, loraTargetsOf } from "./architecture.ts";
import { loraLimits } from "./limits.ts";
import { readLora } from "./read-lora.ts";

/** Rows of a matrix in double precision. */
type Matrix = readonly (readonly number[])[];

const architecture = loraArchitectureOf(tinyTransformer);
const batch = { ...tinyCase("B"), times: [0.5] };
let checkpoint: Checkpoint;
let transformer: Transformer;

beforeAll(async () => {
  checkpoint = await writeTransformer(tinyTransformer);
  const options = { loraSupport: "pairs and products" } as const;
  transformer = await openTransformer(tinyTransformer, checkpoint.index, options);
});
afterAll(async () => {
  await transformer.close();
  await checkpoint[Symbol.asyncDispose]();
});

/** Products of more ranks than this stay products in these tests. */
const fewRanks = { ...loraLimits, rankMax: 6 };

/** Relative distance (L2) between the prediction with the files and the one with merged weights. */
async function distanceToMerged(
  files: Uint8Array | readonly Uint8Array[],
  updates: ReadonlyMap<string, Matrix>,
  limits = loraLimits,
): Promise<number> {
  const stack: LoraUse[] = [];
  for (const file of [files].flat()) {
    const { adapter } = await readLora(memorySource("adapter", file), architecture, limits);
    stack.push({ adapter, strength: 0.75 });
  }
  const [actual = new Float32Array()] = await transformer.predict({ ...batch, loras: [stack] });
  const expected = await predictMerged(updates, 0.75);
  const difference = actual.map((value, at) => value - (expected[at] ?? Number.NaN));
  return Math.hypot(...difference) / Math.hypot(...expected);
}

async function predictMerged(
  updates: ReadonlyMap<string, Matrix>,
  strength: number,
): Promise<Float32Array> {
  const edit = (name: string, values: Float32Array): Float32Array => {
    const update = updates.get(name.replace(/\.weight$/, ""))?.flat();
    return update === undefined
      ? values
      : values.map((value, at) => value + strength * (update[at] ?? 0));
  };
  await using merged = await writeTransformer(tinyTransformer, { edit });
  const other = await openTransformer(tinyTransformer, merged.index);
  const [expected = new Float32Array()] = await other.predict(batch);
  await other.close();
  return expected;
}

function filled(name: string, rows: number, columns: number): Matrix {
  const values = fillInput(name, rows * columns, 0.2);
  return toMatrix(values, columns);
}

function toMatrix(values: Float32Array, columns: number): Matrix {
  const rows = Array.from({ length: values.length / columns }, (_, row) => row * columns);
  return rows.map((start) => [...values.subarray(start, start + columns)]);
}

function multiply(left: Matrix, right: Matrix): Matrix {
  return left.map((row) =>
    (right[0] ?? []).map((_, column) =>
      row.reduce((sum, value, at) => sum + value * (right[at]?.[column] ?? 0), 0),
    ),
  );
}

function scaled(matrix: Matrix, factor: number): Matrix {
  return matrix.map((row) => row.map((value) => factor * value));
}

/** Each element of the first matrix times the whole second. */
function kronecker(first: Matrix, second: Matrix): Matrix {
  return first.flatMap((row) =>
    second.map((other) => row.flatMap((value) => other.map((factor) => value * factor))),
  );
}

/** Sizes that multiply to a module's own, each about the root of it. */
const factorsOf: Readonly<Record<number, readonly [number, number]>> = {
  32: [4, 8],
  85: [5, 17],
  128: [8, 16],
};

function tensor(name: string, matrix: Matrix): FileTensor {
  return { name, shape: [matrix.length, matrix[0]?.length ?? 0], values: matrix.flat() };
}

test("pairs on every module, refiners and modulation included", async () => {
  const names = loraTargetsOf(architecture).map(({ name }) => name);
  const adapter = tinyAdapter("all", names, { rank: 6 });
  const updates = new Map(
    [...adapter.modules].map(([name, { rank, scale, down, up }]) => {
      const product = multiply(toMatrix(up, rank), toMatrix(down, down.length / rank));
      return [name, scaled(product, scale)];
    }),
  );

  const file = encodeLoraFile(spellings.kohya.write(adapter));

  expect(await distanceToMerged(file, updates)).toBeLessThan(2e-6);
  expect(await distanceToMerged(file, new Map())).toBeGreaterThan(0.01);
});

test("one A for queries, keys and values together", async () => {
  const name = "layers.1.attention";
  const down = filled("shared A", 8, 32);
  const up = filled("fused B", 96, 8);
  const file = encodeLoraFile({
    tensors: [
      tensor(`diffusion_model.${name}.qkv.lora_A.weight`, down),
      tensor(`diffusion_model.${name}.qkv.lora_B.weight`, up),
      { name: `diffusion_model.${name}.qkv.alpha`, shape: [], values: [2] },
    ],
  });
  const update = scaled(multiply(up, down), 0.25);

  const parts = ["to_q", "to_k", "to_v"].map(
    (part, at) => [`${name}.${part}`, update.slice(32 * at, 32 * at + 32)] as const,
  );

  expect(await distanceToMerged(file, new Map(parts))).toBeLessThan(2e-6);
});

test("Kronecker products of whole matrices, whose alpha counts for nothing", async () => {
  const name = "diffusion_model.layers.0.feed_forward.w1";
  const [first, second] = [filled("w1", 5, 4), filled("w2", 17, 8)];
  const file = encodeLoraFile({
    tensors: [
      tensor(`${name}.lokr_w1`, first),
      tensor(`${name}.lokr_w2`, second),
      { name: `${name}.alpha`, shape: [], values: [9_999_999_999] },
    ],
  });

  const updates = new Map([["layers.0.feed_forward.w1", kronecker(first, second)]]);

  expect(await distanceToMerged(file, updates)).toBeLessThan(2e-6);
});

test("Kronecker products of factored matrices, scaled by their rank", async () => {
  const name = "lycoris_layers_0_attention_to_k";
  const [left, right] = [filled("w1a", 4, 5), filled("w1b", 5, 4)];
  const [upper, lower] = [filled("w2a", 8, 2), filled("w2b", 2, 8)];
  const file = encodeLoraFile({
    tensors: [
      tensor(`${name}.lokr_w1_a`, left),
      tensor(`${name}.lokr_w1_b`, right),
      tensor(`${name}.lokr_w2_a`, upper),
      tensor(`${name}.lokr_w2_b`, lower),
      { name: `${name}.alpha`, shape: [1], values: [3] },
    ],
  });
  const update = scaled(kronecker(multiply(left, right), multiply(upper, lower)), 1.5);

  expect(await distanceToMerged(file, new Map([["layers.0.attention.to_k", update]]))).toBeLessThan(
    2e-6,
  );
});

describe("Kronecker products of more ranks than a pair may have", () => {
  test("of whole matrices on every module, refiners and modulation included", async () => {
    const tensors: FileTensor[] = [];
    const updates = new Map<string, Matrix>();
    for (const { name, in: width, out } of loraTargetsOf(architecture)) {
      const [[a = 1, c = 1], [b = 1, d = 1]] = [factorsOf[out] ?? [], factorsOf[width] ?? []];
      const [first, second] = [filled(`${name}.w1`, a, b), filled(`${name}.w2`, c, d)];
      tensors.push(tensor(`diffusion_model.${name}.lokr_w1`, first));
      tensors.push(tensor(`diffusion_model.${name}.lokr_w2`, second));
      updates.set(name, kronecker(first, second));
    }
    const file = encodeLoraFile({ tensors });

    expect(await distanceToMerged(file, updates, fewRanks)).toBeLessThan(2e-6);
    expect(await distanceToMerged(file, new Map(), fewRanks)).toBeGreaterThan(0.01);
  });

  test("with a factored operand, scaled by its rank", async () => {
    const name = "diffusion_model.layers.1.feed_forward.w2";
    const first = filled("w1 of four", 4, 5);
    const [upper, lower] = [filled("w2a", 8, 3), filled("w2b", 3, 17)];
    const file = encodeLoraFile({
      tensors: [
        tensor(`${name}.lokr_w1`, first),
        tensor(`${name}.lokr_w2_a`, upper),
        tensor(`${name}.lokr_w2_b`, lower),
        { name: `${name}.alpha`, shape: [], values: [2] },
      ],
    });
    const update = scaled(kronecker(first, multiply(upper, lower)), 2 / 3);
    const updates = new Map([["layers.1.feed_forward.w2", update]]);

    expect(await distanceToMerged(file, updates, fewRanks)).toBeLessThan(2e-6);
  });

  test("for queries, keys and values together", async () => {
    const name = "layers.0.attention";
    const [first, second] = [filled("w1 of six", 6, 4), filled("w2 of 16", 16, 8)];
    const file = encodeLoraFile({
      tensors: [
        tensor(`diffusion_model.${name}.qkv.lokr_w1`, first),
        tensor(`diffusion_model.${name}.qkv.lokr_w2`, second),
      ],
    });
    const update = kronecker(first, second);
    const parts = ["to_q", "to_k", "to_v"].map(
      (part, at) => [`${name}.${part}`, update.slice(32 * at, 32 * at + 32)] as const,
    );

    expect(await distanceToMerged(file, new Map(parts), fewRanks)).toBeLessThan(2e-6);
  });

  test("two of different factors on one module, and a pair beside them", async () => {
    const name = "layers.1.attention.to_out.0";
    const shapes = [
      [4, 4, 8, 8],
      [8, 16, 4, 2],
    ] as const;
    const products = shapes.map(
      ([a, b, c, d]) => [filled(`w1 ${a}`, a, b), filled(`w2 ${c}`, c, d)] as const,
    );
    const [down, up] = [filled("A beside", 3, 32), filled("B beside", 32, 3)];
    const files = products.map(([first, second]) =>
      encodeLoraFile({
        tensors: [
          tensor(`diffusion_model.${name}.lokr_w1`, first),
          tensor(`diffusion_model.${name}.lokr_w2`, second),
        ],
      }),
    );
    const beside = encodeLoraFile({
      tensors: [
        tensor(`transformer.${name}.lora_A.weight`, down),
        tensor(`transformer.${name}.lora_B.weight`, up),
      ],
    });
    const update = [...products.map(([one, other]) => kronecker(one, other)), multiply(up, down)]
      .map((matrix) => matrix.flat())
      .reduce((sum, values) => sum.map((value, at) => value + (values[at] ?? 0)));
    const updates = new Map([[name, [update]]]);

    expect(await distanceToMerged([...files, beside], updates, fewRanks)).toBeLessThan(2e-6);
  });
});
