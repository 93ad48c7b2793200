/** How far two results are apart: the numbers that a certificate states. */

export interface TensorDifference {
  readonly kind: "tensor";
  /** Largest difference of two elements. */
  readonly maxAbs: number;
  /** |ours - reference| / |reference|, Euclidean. */
  readonly relL2: number;
  /** Largest element of the reference: what `maxAbs` is to be seen against. */
  readonly largest: number;
}

export interface PictureDifference {
  readonly kind: "picture";
  /** Peak signal-to-noise ratio over all bytes, in decibels; null for equal pictures. */
  readonly psnrDb: number | null;
  readonly unequalPixels: number;
  readonly pixels: number;
  /** Largest difference of two bytes. */
  readonly levelsMax: number;
}

export interface Inequality {
  readonly kind: "equal";
  /** Elements whose bits differ. */
  readonly unequal: number;
  readonly count: number;
}

export type Difference = TensorDifference | PictureDifference | Inequality;

export function compareTensors(ours: Float32Array, reference: Float32Array): TensorDifference {
  checkLengths(ours.length, reference.length);
  let [maxAbs, largest, error, norm] = [0, 0, 0, 0];
  for (const [at, wanted] of reference.entries()) {
    const difference = distance(ours[at] ?? Number.NaN, wanted);
    maxAbs = Math.max(maxAbs, difference);
    largest = Math.max(largest, Math.abs(wanted));
    error += difference * difference;
    norm += wanted * wanted;
  }
  const relL2 = Math.min(Math.sqrt(error / norm), Number.MAX_VALUE);
  return { kind: "tensor", maxAbs, relL2, largest };
}

/** Not a number is as far away as can be; JSON has no word for it. */
function distance(ours: number, wanted: number): number {
  const difference = Math.abs(ours - wanted);
  return difference <= Number.MAX_VALUE ? difference : Number.MAX_VALUE;
}

/** @param ours RGB bytes, 3 a pixel, as `reference`. */
export function comparePictures(
  ours: ArrayLike<number>,
  reference: ArrayLike<number>,
): PictureDifference {
  checkLengths(ours.length, reference.length);
  const channels = 3;
  const unequal = new Set<number>();
  let [squares, levelsMax] = [0, 0];
  for (let at = 0; at < reference.length; at += 1) {
    const difference = Math.abs((ours[at] ?? Number.NaN) - (reference[at] ?? Number.NaN));
    if (difference === 0) continue;
    unequal.add(Math.floor(at / channels));
    squares += difference * difference;
    levelsMax = Math.max(levelsMax, difference);
  }
  const meanSquare = squares / reference.length;
  return {
    kind: "picture",
    psnrDb: unequal.size === 0 ? null : 10 * Math.log10(255 ** 2 / meanSquare),
    unequalPixels: unequal.size,
    pixels: reference.length / channels,
    levelsMax,
  };
}

/** Bit by bit, so that zeros of different signs differ and equal payloads of NaN do not. */
export function compareBits(
  ours: Float32Array | Uint8Array | Int32Array,
  reference: Float32Array | Uint8Array | Int32Array,
): Inequality {
  checkLengths(ours.length, reference.length);
  const size = ours.BYTES_PER_ELEMENT;
  const [left, right] = [ours, reference].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  const unequal = new Set<number>();
  for (const [at, byte] of (right ?? new Uint8Array()).entries()) {
    if (left?.[at] !== byte) unequal.add(Math.floor(at / size));
  }
  return { kind: "equal", unequal: unequal.size, count: reference.length };
}

function checkLengths(ours: number, reference: number): void {
  if (ours !== reference) {
    throw new Error(`results of ${ours} and ${reference} elements cannot be compared`);
  }
}
