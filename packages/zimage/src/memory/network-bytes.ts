/** What a model's networks take of memory, derived from its configuration and its files. */
import { vaeFactor } from "../config.ts";
import { lateDimMin } from "../graph/transformer-graph.ts";
import { lateElementsMin } from "../graph/weight-product.ts";
import { feedForwardSize } from "../model/expected-tensors.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import type { WeightMode } from "../model/weight-choice.ts";
import type { Device } from "../networks/device.ts";
import { padRows } from "../networks/rope.ts";
import type { TensorIndex, TensorRef } from "../weights/tensor-index.ts";

/**
 * Bytes of a model in one mode. Files that are only mapped count where a mode has just a few such
 * weights: every step reads them. The pages of a whole mapped network do not: they can go.
 */
export interface NetworkBytes {
  readonly textEncoder: number;
  readonly transformer: number;
  readonly vae: number;
  /** Of one row of the transformer, while its block runs. */
  readonly perRow: number;
  /** Of the square of the rows, where a device computes attention with all its scores at once. */
  readonly perRowSquared: number;
  /** Of one pixel that the decoder draws at once. */
  readonly perPixel: number;
  /** Of one token of a prompt. */
  readonly perToken: number;
}

const floatBytes = 4;
const bfloatBytes = 2;
/**
 * Values of one row that are alive at once, in widths of the feed-forward part and of the rows.
 * Measured at the released widths with 288, 1056 and 4128 rows: 265 to 325 KB a row.
 */
const wideValues = 5;
const rowValues = 8;
/** Scores and their shares. */
const scoreCopies = 2;
/**
 * Copies of the decoder's widest full-size layer that are alive at once. Measured at the released
 * widths with 256 × 256 pixels: 4 KB a pixel; larger pictures were seen to take 7.6 KB.
 */
const decoderCopies = 8;
/** The same for the text encoder; measured at 512 tokens: 310 KB a token. */
const tokenValues = 6;
/** A block that is widened in a run holds this many of its largest weights. */
const widenedWeights = 2;

/** @param mode how the Linears run; the decoder is float32 in every mode. */
export function networkBytes(
  model: ModelDirectory,
  mode: WeightMode,
  { kind }: Device = { kind: "cpu" },
): NetworkBytes {
  const { transformer, textEncoder, vae } = model;
  const { dim } = transformer.config;
  const late = kind === "cpu" && mode !== "fp32";
  // CUDA holds what is not packed in the type that it computes in.
  const held = kind === "cuda" && mode !== "fp32" ? bfloatBytes : floatBytes;
  const decoder = [...vae.tensors.tensors.values()].filter(
    ({ name }) => !name.startsWith("encoder."),
  );
  const widest = vae.config.blockChannels[1] ?? vae.config.blockChannels[0] ?? 0;
  const isMapped = mode === "bf16";
  return {
    transformer: weightBytes(transformer.tensors, {
      late: late && dim >= lateDimMin,
      held,
      isMapped,
    }),
    textEncoder: weightBytes(textEncoder.tensors, { late, held, isMapped }),
    vae: decoder.reduce((sum, tensor) => sum + elementsOf(tensor) * floatBytes, 0),
    perRow: floatBytes * (wideValues * feedForwardSize(dim) + rowValues * dim),
    perRowSquared: kind === "webgpu" ? floatBytes * scoreCopies * transformer.config.heads : 0,
    perPixel: floatBytes * decoderCopies * widest,
    perToken:
      floatBytes *
      (tokenValues * textEncoder.config.intermediate + rowValues * textEncoder.config.hidden),
  };
}

/** Rows of the transformer for one picture and its caption. */
export function rowsOf(
  model: ModelDirectory,
  picture: { readonly width: number; readonly height: number },
  captionTokens: number,
): number {
  const side = vaeFactor(model.vae.config) * model.transformer.config.patchSize;
  const tokens = (picture.width / side) * (picture.height / side);
  return padRows(tokens) + padRows(captionTokens);
}

interface Holding {
  /** Whether large weights stay in the file and are widened in each run. */
  readonly late: boolean;
  /** Bytes of an element of the others, unless it is packed. */
  readonly held: number;
  /** Whether that is the whole network, so that their pages may go. */
  readonly isMapped: boolean;
}

function weightBytes({ tensors }: TensorIndex, { late, held, isMapped }: Holding): number {
  let bytes = 0;
  let largest = 0;
  for (const tensor of tensors.values()) {
    const isWidened = tensor.dtype === "BF16" || tensor.dtype === "F16";
    if (isTable(tensor)) continue;
    if (isWidened && late && elementsOf(tensor) >= lateElementsMin) {
      largest = Math.max(largest, elementsOf(tensor));
      if (!isMapped) bytes += tensor.length;
    } else {
      bytes += tensor.dtype === "U8" ? tensor.length : elementsOf(tensor) * held;
    }
  }
  return bytes + widenedWeights * largest * floatBytes;
}

/** Looked up in the file, never multiplied with; what no graph reads takes nothing either. */
function isTable({ name }: TensorRef): boolean {
  return name === "embed_tokens.weight" || name === "lm_head.weight";
}

function elementsOf({ shape }: TensorRef): number {
  return shape.reduce((product, side) => product * side, 1);
}
