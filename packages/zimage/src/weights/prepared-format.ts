/**
 * What a prepared model directory looks like: which tensors become blocks of small integers, under
 * which names and in which layout, and the record that says so.
 *
 * A prepared directory is a model directory in diffusers' layout whose transformer and text encoder
 * have other weights, with `zfarm.json` beside model_index.json. A Linear `<name>.weight` of int8
 * or int4 is two tensors: `<name>.weight.q`, U8 [out, blocks, blockSize · bits / 8], as MatMulNBits
 * takes it, and `<name>.weight.scale`, F32 [out, blocks]. The zero point is always 2^(bits - 1).
 */
import { z } from "zod";
import { parseFile } from "../model/read-json.ts";
import type { TensorDtype } from "./tensor-index.ts";

/** What `zfarm model prepare` can write. */
export const preparedModes = ["bf16", "int8", "int4"] as const;
export type PreparedMode = (typeof preparedModes)[number];

/** Bits of one weight in the blockwise modes. */
export const bitsOf: Readonly<Record<"int8" | "int4", 4 | 8>> = { int8: 8, int4: 4 };

/** Weights under one scale. Every width of the released model is a multiple of it. */
export const preparedBlockSize = 128;

/** Beside model_index.json. */
export const preparedRecordFile = "zfarm.json";

export interface BlockLayout {
  /** Out and in of the Linear. */
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** Blocks of one row; the last one is filled up with zeros. */
  readonly blocks: number;
  readonly blockBytes: number;
}

export function blockLayout(
  shape: readonly number[],
  bits: 4 | 8,
  blockSize: number = preparedBlockSize,
): BlockLayout {
  const [rows = 0, columns = 0] = shape;
  const blocks = Math.ceil(columns / blockSize);
  return { rows, columns, bits, blockSize, blocks, blockBytes: (blockSize * bits) / 8 };
}

/** Names of the two tensors that stand for one. */
export function quantizedNames(name: string): { readonly levels: string; readonly scales: string } {
  return { levels: `${name}.q`, scales: `${name}.scale` };
}

/**
 * The large Linears of the blocks of both networks. The embedders, the final layer and the
 * modulations stay as they are: they are 2 % of the weights, and an error there is in every step.
 */
const blockwise = [
  /\.(attention\.to_([qkv]|out\.0)|feed_forward\.w[123])\.weight$/,
  /\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.weight$/,
];

/** Whether the tensor of this name, as diffusers or transformers call it, becomes blocks. */
export function isBlockwise(name: string): boolean {
  return blockwise.some((pattern) => pattern.test(name));
}

/** The text encoder's table is looked up, not multiplied with: bf16 is small enough and exact. */
const table = "embed_tokens.weight";

/** One tensor of a prepared file. */
export interface PreparedTensor {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
}

export interface SourceTensor {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
}

/** What a tensor of the transformer or the text encoder becomes, in the order of its file. */
export function preparedTensors(source: SourceTensor, mode: PreparedMode): PreparedTensor[] {
  const { name, shape } = source;
  if (mode !== "bf16" && isBlockwise(name)) {
    const { rows, blocks, blockBytes } = blockLayout(shape, bitsOf[mode]);
    const names = quantizedNames(name);
    return [
      { name: names.levels, dtype: "U8", shape: [rows, blocks, blockBytes] },
      { name: names.scales, dtype: "F32", shape: [rows, blocks] },
    ];
  }
  const dtype = mode === "bf16" || name === table ? "BF16" : source.dtype;
  return [{ name, dtype, shape }];
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "is not a SHA-256 in hex");

const recordFile = z.object({
  format: z.literal("zfarm-prepared"),
  /** Grows when a reader of the old one would misread the new one. */
  version: z.literal(1),
  weights: z.enum(preparedModes),
  blockSize: z.literal(preparedBlockSize),
  /** What it was made from. */
  source: z.object({ name: z.string().min(1).max(200), digest: sha256 }),
  /** Weight files, by path in the directory. */
  files: z.record(z.string(), z.object({ bytes: z.int().min(0), sha256 })),
});

/** `zfarm.json` of a prepared directory. */
export type PreparedRecord = z.output<typeof recordFile>;

/** MODEL_INVALID names the field, such as a version that this code does not know. */
export function parsePreparedRecord(value: unknown, file: string): PreparedRecord {
  return parseFile(recordFile, value, file);
}
