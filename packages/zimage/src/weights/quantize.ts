/**
 * The arithmetic of prepared weights: blocks of small integers under one scale, and bfloat16.
 * Pure functions over rows, so that a tensor of any size is converted piece by piece.
 */
import { float16Values } from "./float16-values.ts";
import type { BlockLayout } from "./prepared-format.ts";
import type { TensorDtype } from "./tensor-index.ts";

/** Rows of one tensor as the runtime reads them. */
export interface QuantizedRows {
  /** [rows, blocks, blockBytes]; with 4 bits the earlier of two values is in the lower half. */
  readonly levels: Uint8Array;
  /** [rows, blocks]; a value is (level - 2^(bits - 1)) times its block's scale. */
  readonly scales: Float32Array;
  /** Position of the first block with a value that is not finite; -1 when there is none. */
  readonly notFiniteAt: number;
}

/**
 * Rounds rows to symmetric levels. The value of the largest magnitude takes the lowest level, which
 * uses the one level more that lies below zero; the scale is then the best in the least-squares
 * sense for the levels chosen, so it never makes the error larger. Scales may be negative.
 *
 * @param values [layout.rows, layout.columns], or fewer rows.
 */
export function quantizeRows(values: Float32Array, layout: BlockLayout): QuantizedRows {
  const { columns, blocks, blockSize, blockBytes, bits } = layout;
  const rows = values.length / columns;
  const levels = new Uint8Array(rows * blocks * blockBytes);
  const scales = new Float32Array(rows * blocks);
  const scratch = new Uint8Array(blockSize);
  const half = 2 ** (bits - 1);
  let notFiniteAt = -1;
  for (let block = 0; block < scales.length; block += 1) {
    const start = Math.floor(block / blocks) * columns + (block % blocks) * blockSize;
    const end = start + Math.min(blockSize, columns - (block % blocks) * blockSize);
    const scale = quantizeBlock(values, { start, end, half, levels: scratch });
    if (!Number.isFinite(scale) && notFiniteAt < 0) notFiniteAt = block;
    scales[block] = scale;
    pack(scratch, levels.subarray(block * blockBytes, (block + 1) * blockBytes));
  }
  return { levels, scales, notFiniteAt };
}

interface Block {
  readonly start: number;
  readonly end: number;
  /** The level of zero. */
  readonly half: number;
  /** Filled with one level per value; what a short block leaves over is zero. */
  readonly levels: Uint8Array;
}

/** Fills the levels and gives the scale, which is not finite when a value is not. */
function quantizeBlock(values: Float32Array, { start, end, half, levels }: Block): number {
  let extreme = 0;
  let magnitude = 0;
  for (let at = start; at < end; at += 1) {
    const value = values[at] as number;
    const size = Math.abs(value);
    if (size > magnitude) {
      magnitude = size;
      extreme = value;
    }
  }
  const inverse = extreme === 0 ? 0 : -half / extreme;
  const top = 2 * half - 1;
  levels.fill(half, end - start);
  let products = 0;
  let squares = 0;
  for (let at = start; at < end; at += 1) {
    const value = values[at] as number;
    // Cutting off the fraction rounds down here, because the sum is never negative.
    const level = Math.min(Math.trunc(value * inverse + half + 0.5), top);
    levels[at - start] = level;
    products += value * (level - half);
    squares += (level - half) ** 2;
  }
  return squares === 0 ? products : products / squares;
}

function pack(levels: Uint8Array, packed: Uint8Array): void {
  if (packed.length === levels.length) {
    packed.set(levels);
    return;
  }
  for (let at = 0; at < packed.length; at += 1) {
    packed[at] = (levels[2 * at] as number) | ((levels[2 * at + 1] as number) << 4);
  }
}

/** The values that levels and scales stand for: [rows, columns]. */
export function dequantizeRows(rows: QuantizedRows, layout: BlockLayout): Float32Array {
  const { columns, blocks, blockSize, bits } = layout;
  const count = rows.scales.length / blocks;
  const values = new Float32Array(count * columns);
  const half = 2 ** (bits - 1);
  for (let at = 0; at < values.length; at += 1) {
    const block = Math.floor(at / columns) * blocks + Math.floor((at % columns) / blockSize);
    const place = block * blockSize + ((at % columns) % blockSize);
    const byte = rows.levels[bits === 8 ? place : place >>> 1] ?? 0;
    const level = bits === 8 ? byte : (byte >>> (4 * (place % 2))) & 15;
    values[at] = (level - half) * (rows.scales[block] ?? 0);
  }
  return values;
}

/**
 * Elements of a checkpoint as float32, exactly. `bytes` may lie at any offset; the result may share
 * their memory.
 */
export function widenElements(bytes: Uint8Array, dtype: TensorDtype): Float32Array {
  // A copy is aligned, which a place in a file's bytes need not be.
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  if (dtype === "F32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  return dtype === "BF16" ? widenBf16(halves) : widenFloat16(halves);
}

function widenBf16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const words = new Uint32Array(values.buffer);
  for (let at = 0; at < halves.length; at += 1) words[at] = (halves[at] as number) << 16;
  return values;
}

function widenFloat16(halves: Uint16Array): Float32Array {
  const table = float16Values();
  const values = new Float32Array(halves.length);
  for (let at = 0; at < halves.length; at += 1) values[at] = table[halves[at] as number] as number;
  return values;
}

/**
 * float32 to bfloat16, rounded to nearest, ties to even, as torch does it. What is not finite stays
 * so.
 */
export function narrowToBf16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let at = 0; at < halves.length; at += 1) {
    const word = words[at] as number;
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    halves[at] = isNaN ? 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}

/** Position of the first value that is not finite; -1 when all are. */
export function findNotFinite(values: Float32Array): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let at = 0; at < words.length; at += 1) {
    if (((words[at] as number) & 0x7f800000) === 0x7f800000) return at;
  }
  return -1;
}
