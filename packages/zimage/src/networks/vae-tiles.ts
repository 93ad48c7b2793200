/** Cuts a latent into overlapping tiles and blends their pictures. Pure arithmetic. */

/** A square window of a latent, in cells; smaller at the right and lower edges never. */
export interface Tile {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

export interface LatentSize {
  readonly height: number;
  readonly width: number;
}

/** Part of a tile's side that its neighbours cover too. */
const overlapShare = 4;

/**
 * Windows of at most `side` cells that cover the latent, row by row. Neighbours overlap by a
 * quarter of a side or more: windows at the far edges are moved back, not cut, because every window
 * of one size makes the same use of its norms.
 */
export function planTiles({ height, width }: LatentSize, side: number): Tile[] {
  const tops = starts(height, side);
  const lefts = starts(width, side);
  const size = { height: Math.min(side, height), width: Math.min(side, width) };
  return tops.flatMap((top) => lefts.map((left) => ({ top, left, ...size })));
}

/** Where windows begin along one axis, at even distances. */
function starts(length: number, side: number): number[] {
  if (length <= side) return [0];
  const stride = side - Math.floor(side / overlapShare);
  const count = Math.ceil((length - side) / stride) + 1;
  return Array.from({ length: count }, (_, at) => Math.round((at * (length - side)) / (count - 1)));
}

/** The tile's cells of [channel, height, width]. */
export function cutTile(
  values: Float32Array,
  { height, width }: LatentSize,
  tile: Tile,
): Float32Array {
  const channels = values.length / (height * width);
  const cut = new Float32Array(channels * tile.height * tile.width);
  let to = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    for (let row = tile.top; row < tile.top + tile.height; row += 1) {
      const from = (channel * height + row) * width + tile.left;
      cut.set(values.subarray(from, from + tile.width), to);
      to += tile.width;
    }
  }
  return cut;
}

/**
 * Sums pictures of tiles, each pixel weighted by its distance from the tile's edges, so that
 * neighbours pass linearly into each other; then divides by the weights.
 */
export class TileBlender {
  readonly #size: LatentSize;
  readonly #sums: Float32Array;
  readonly #weights: Float32Array;
  readonly #channels: number;

  /** @param size of the whole picture, in pixels. */
  constructor(size: LatentSize, channels: number) {
    this.#size = size;
    this.#channels = channels;
    this.#sums = new Float32Array(channels * size.height * size.width);
    this.#weights = new Float32Array(size.height * size.width);
  }

  /** @param tile in pixels. */
  add(picture: Float32Array, tile: Tile): void {
    const plane = this.#size.height * this.#size.width;
    const across = ramp(tile.width);
    const down = ramp(tile.height);
    for (let row = 0; row < tile.height; row += 1) {
      const to = (tile.top + row) * this.#size.width + tile.left;
      for (let column = 0; column < tile.width; column += 1) {
        const weight = (down[row] ?? 0) * (across[column] ?? 0);
        const at = to + column;
        this.#weights[at] = (this.#weights[at] ?? 0) + weight;
        for (let channel = 0; channel < this.#channels; channel += 1) {
          const value = picture[(channel * tile.height + row) * tile.width + column] ?? 0;
          const sum = channel * plane + at;
          this.#sums[sum] = (this.#sums[sum] ?? 0) + weight * value;
        }
      }
    }
  }

  /** [channel, height, width]. */
  finish(): Float32Array {
    const plane = this.#weights.length;
    return this.#sums.map((sum, at) => sum / (this.#weights[at % plane] ?? 1));
  }
}

/** 1 to the middle and back: never 0, so that a pixel of one tile alone keeps its value. */
function ramp(length: number): Float32Array {
  return Float32Array.from({ length }, (_, at) => Math.min(at + 1, length - at));
}
