/** Comparisons of tensors with recorded reference values. */
import { ok } from "node:assert/strict";

/** What the references record of a tensor, in row-major order. */
export interface Recorded {
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly sum: number;
  readonly l2: number;
}

/** Every recorded element within `tolerance`; sum and norm as their own rounding allows. */
export function expectRecorded(
  values: Float32Array | undefined,
  recorded: Recorded,
  tolerance = 2e-5,
): void {
  const all = values ?? new Float32Array();
  expectClose(all.slice(0, recorded.first.length), recorded.first, tolerance);
  expectClose(all.slice(-recorded.last.length), recorded.last, tolerance);
  const total = all.reduce((sum, value) => sum + value, 0);
  expectClose([total], [recorded.sum], tolerance * Math.sqrt(all.length));
  expectClose([norm(all)], [recorded.l2], tolerance);
}

export function expectClose(
  values: ArrayLike<number> | undefined,
  wanted: ArrayLike<number> | undefined,
  tolerance = 2e-5,
): void {
  const difference = maxDifference(values, wanted);
  ok(difference < tolerance, `differs by ${difference}, tolerance is ${tolerance}`);
}

/** Infinite when the sizes differ or nothing is there. */
export function maxDifference(
  left: ArrayLike<number> | undefined,
  right: ArrayLike<number> | undefined,
): number {
  if (left === undefined || right === undefined) return Infinity;
  if (left.length !== right.length || left.length === 0) return Infinity;
  const differences = Array.from(left, (value, index) => Math.abs(value - Number(right[index])));
  return differences.reduce((most, difference) => Math.max(most, difference), 0);
}

/** Bit for bit, telling even zeros apart. */
export function expectSameBits(
  left: Float32Array | undefined,
  right: Float32Array | undefined,
): void {
  const difference = maxDifference(left, right);
  ok(bytesOf(left).equals(bytesOf(right)), `differs in bits, by ${difference}`);
  ok(difference === 0, "has no elements");
}

function bytesOf(values: Float32Array = new Float32Array()): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
