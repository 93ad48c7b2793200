// An adapter from a file must draw what the same model draws with the update merged into its
// weights. The merge is made here from the definitions, not from what the reader made of the file.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Checkpoint, writeTransformer } from "../../test/filled-checkpoint.ts";
import { fillInput } from "../../test/hash-filler.ts";
import { encodeLoraFile, type FileTensor, spellings } from "../../test/lora-files.ts";
import { tinyAdapter, tinyCase, tinyTransformer } from "../../test/tiny-networks.ts";
import { openTransformer, type Transformer } from "../networks/transformer.ts";
import { memorySource } from "../weights/byte-source.ts";
import { loraArchitectureOf, loraTargetsOf } from "./architecture.ts";
import { readLora } from "./read-lora.ts";

/** Rows of a matrix in double precision. */
type Matrix = readonly (readonly number[])[];

const architecture = loraArchitectureOf(tinyTransformer);
const batch = { ...tinyCase("B"), times: [0.5] };
let checkpoint: Checkpoint;
let transformer: Transformer;

beforeAll(async () => {
  checkpoint = await writeTransformer(tinyTransformer);
  transformer = await openTransformer(tinyTransformer, checkpoint.index);
});
afterAll(async () => {
  await transformer.close();
  await checkpoint[Symbol.asyncDispose]();
});

/** Relative distance (L2) between the prediction with the file and the one with merged weights. */
async function distanceToMerged(
  file: Uint8Array,
  updates: ReadonlyMap<string, Matrix>,
): Promise<number> {
  const { adapter } = await readLora(memorySource("adapter", file), architecture);
  const [actual = new Float32Array()] = await transformer.predict({
    ...batch,
    loras: [[{ adapter, strength: 0.75 }]],
  });
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
