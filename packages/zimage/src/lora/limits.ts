/** The bounds of adapter files. A file is measured against them before anything of it is used. */
import { moduleRanksMax } from "../graph/linear.ts";
import type { HeaderLimits } from "../weights/safetensors-header.ts";

export interface LoraLimits {
  readonly header: HeaderLimits;
  readonly fileBytesMax: number;
  /** Of one module after conversion. */
  readonly rankMax: number;
  /** Of all factors in float32, ranks filled up to whole groups. */
  readonly deviceBytesMax: number;
  /** Multiplications that bring the file's factors into the form of a run. */
  readonly multiplicationsMax: number;
}

export const loraLimits: LoraLimits = {
  header: {
    // Five keys for each of the released model's 270 modules take 150 KB, data set notes the rest.
    headerBytesMax: 1024 * 1024,
    tensorsMax: 8_192,
    // Trainers store every tag of the data set with its count; real ones reach 200 KB.
    metadataCharsMax: 512 * 1024,
  },
  // Rank 256 in every module of the released model takes 1.4 GB in bfloat16.
  fileBytesMax: 2 * 1024 ** 3,
  rankMax: moduleRanksMax,
  // The largest file of two-byte elements, in float32.
  deviceBytesMax: 4 * 1024 ** 3,
  // Half a minute of one thread. LoKr of rank 64 and factor 8 on the released model takes 5 · 10⁹.
  multiplicationsMax: 32_000_000_000,
};

/** Larger than any trainer's; beyond it, the update drowns the weights. */
export const alphaMax = 4_096;

/** What float16 can hold: no trainer stores more, and products of more overflow. */
export const elementMax = 65_504;

/**
 * What an update at weight 1 may add to a weight. Trainers move weights by far less than one: a
 * file beyond this is broken, and its pictures would be noise.
 */
export const changeMax = 1_000;

/** An update of more ranks than its module has rows or columns would only waste them. */
export function rankBoundOf(
  module: { readonly in: number; readonly out: number },
  { rankMax }: LoraLimits,
): number {
  return Math.min(rankMax, module.in, module.out);
}
