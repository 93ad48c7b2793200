/**
 * Rotary positions as cosines and sines per row, made here rather than in the graphs so that they
 * are exact to the last bit of float32 and cost nothing per layer.
 */
import type { TransformerConfig } from "../config.ts";

/** Cosines and sines, [row, pair] each, row-major. */
export interface RotationTable {
  readonly rows: number;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Where a row of the transformer stands: caption position, image row, image column. */
export type Position = readonly [number, number, number];

/** Tokens are padded to multiples of this, in every stream. */
export const rowMultiple = 32;

export function padRows(rows: number): number {
  return Math.ceil(rows / rowMultiple) * rowMultiple;
}

/** Captions count from 1 along the first axis; their pad rows go on counting. */
export function captionPositions(paddedRows: number): Position[] {
  return Array.from({ length: paddedRows }, (_, row) => [1 + row, 0, 0]);
}

export interface ImageGrid {
  /** Tokens along each side. */
  readonly rows: number;
  readonly columns: number;
  /** Rows of the sample's own caption, pads included. */
  readonly captionRows: number;
}

/** Image tokens stand one step after their own caption; their pad rows all stand at the origin. */
export function imagePositions({ rows, columns, captionRows }: ImageGrid): Position[] {
  const count = rows * columns;
  return Array.from({ length: padRows(count) }, (_, token) =>
    token < count ? [captionRows + 1, Math.floor(token / columns), token % columns] : [0, 0, 0],
  );
}

/**
 * The transformer's table: every axis turns its own share of the pairs. Angles are computed in
 * float64 and rounded once, as the reference does.
 */
export function rotatePositions(
  positions: readonly Position[],
  config: Pick<TransformerConfig, "axesDims" | "ropeTheta">,
): RotationTable {
  const frequencies = config.axesDims.flatMap((size, axis) =>
    Array.from({ length: size / 2 }, (_, pair) => ({
      axis: axis as 0 | 1 | 2,
      perStep: config.ropeTheta ** ((-2 * pair) / size),
    })),
  );
  return fillTable(positions.length, frequencies.length, (row, pair) => {
    const frequency = frequencies[pair];
    const position = positions[row];
    if (frequency === undefined || position === undefined) return 0;
    return position[frequency.axis] * frequency.perStep;
  });
}

/** Qwen3's table: rows count from 0; frequencies are themselves rounded to float32. */
export function rotateSequence(
  rows: number,
  config: { readonly headDim: number; readonly ropeTheta: number },
): RotationTable {
  const frequencies = Float32Array.from({ length: config.headDim / 2 }, (_, pair) => {
    const exponent = Math.fround((2 * pair) / config.headDim);
    return 1 / Math.fround(config.ropeTheta ** exponent);
  });
  return fillTable(rows, frequencies.length, (row, pair) => row * (frequencies[pair] ?? 0));
}

function fillTable(
  rows: number,
  pairs: number,
  angleOf: (row: number, pair: number) => number,
): RotationTable {
  const cos = new Float32Array(rows * pairs);
  const sin = new Float32Array(rows * pairs);
  for (let index = 0; index < cos.length; index++) {
    const angle = Math.fround(angleOf(Math.floor(index / pairs), index % pairs));
    cos[index] = Math.cos(angle);
    sin[index] = Math.sin(angle);
  }
  return { rows, cos, sin };
}
