/**
 * Colours straight from latents: one affine map from a cell's channels to the mean colour of its
 * pixels, fitted to what the model's own decoder makes of noise. So every autoencoder has one, and
 * none has to ship.
 */
import { toUnit } from "../image/pixels.ts";
import { invariant } from "../invariant.ts";
import { drawNoise } from "../sampler/noise.ts";

/** Rows of [offset, weight of each channel], for red, green and blue; brightness is 0 to 1. */
export type ColourMap = readonly [Float64Array, Float64Array, Float64Array];

/** A picture as the decoder takes it and as it makes it. */
export interface DecodedLatent {
  /** [channels, side, side]. */
  readonly latent: Float32Array;
  /** [3, side · factor, side · factor], about -1 to 1. */
  readonly image: Float32Array;
}

export interface LatentSize {
  readonly channels: number;
  /** Cells of both sides. */
  readonly side: number;
  /** Pixels of a cell's side. */
  readonly factor: number;
}

/** Cells of the noise's side: fifteen for each number that is fitted. */
export const noiseSide = 16;
const noiseSeed = 1n;
/** Keeps the fit sound where channels go together. */
const ridge = 1e-3;

/** What to decode for the fit: latents of finished pictures are about as large as noise. */
export function drawFitLatent(channels: number): Float32Array {
  return drawNoise(noiseSeed, channels * noiseSide * noiseSide);
}

/** The map with the least squared error over all cells. */
export function fitColours({ latent, image }: DecodedLatent, size: LatentSize): ColourMap {
  const { channels, side } = size;
  const cells = side * side;
  const unknowns = channels + 1;
  // Normal equations; the three colours share their left side.
  const matrix = Array.from({ length: unknowns }, () => new Float64Array(unknowns + 3));
  for (let cell = 0; cell < cells; cell += 1) {
    const inputs = [1, ...channelsOf(latent, { channels, cells, cell })];
    const wanted = meanColour(image, cell, size);
    for (const [row, input] of inputs.entries()) {
      const sums = matrix[row];
      if (sums === undefined) continue;
      for (const [at, value] of [...inputs, ...wanted].entries()) {
        sums[at] = (sums[at] ?? 0) + input * value;
      }
    }
  }
  for (const [row, sums] of matrix.entries()) sums[row] = (sums[row] ?? 0) + ridge * cells;
  eliminate(matrix);
  const solution = (colour: number): Float64Array =>
    Float64Array.from(matrix, (sums) => sums[unknowns + colour] ?? 0);
  return [solution(0), solution(1), solution(2)];
}

function channelsOf(
  latent: Float32Array,
  { channels, cells, cell }: { channels: number; cells: number; cell: number },
): number[] {
  return Array.from({ length: channels }, (_, channel) => latent[channel * cells + cell] ?? 0);
}

function meanColour(image: Float32Array, cell: number, { side, factor }: LatentSize): number[] {
  const width = side * factor;
  const top = Math.floor(cell / side) * factor;
  const left = (cell % side) * factor;
  return [0, 1, 2].map((colour) => {
    let sum = 0;
    for (let row = top; row < top + factor; row += 1) {
      const start = (colour * width + row) * width + left;
      for (let at = start; at < start + factor; at += 1) sum += toUnit(image[at] ?? 0);
    }
    return sum / (factor * factor);
  });
}

/** Gauss and Jordan; the ridge makes every pivot positive, so rows stay where they are. */
function eliminate(matrix: readonly Float64Array[]): void {
  for (const [pivot, row] of matrix.entries()) {
    const scale = row[pivot] ?? 0;
    invariant(scale > 0, "a sum of squares with a ridge is positive");
    for (let at = 0; at < row.length; at += 1) row[at] = (row[at] ?? 0) / scale;
    for (const other of matrix) {
      const factor = other[pivot] ?? 0;
      if (other === row || factor === 0) continue;
      for (let at = pivot; at < row.length; at += 1) {
        other[at] = (other[at] ?? 0) - factor * (row[at] ?? 0);
      }
    }
  }
}
