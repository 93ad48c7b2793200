/** How the factors of an adapter lie in memory when the graph reads them. */
import { ranksPerGroup } from "../graph/linear.ts";
import type { LoraAdapter, LoraFactors } from "./lora-batch.ts";

/** The ranks of whole groups that hold `rank`. */
export function paddedRank(rank: number): number {
  return Math.ceil(rank / ranksPerGroup) * ranksPerGroup;
}

/**
 * The adapter as runs read it, in arrays of its own: the one conversion that its use costs. Made
 * ahead, for example on another thread, the first step with it costs nothing.
 */
export function layOutAdapter(adapter: LoraAdapter): LoraAdapter {
  const modules = [...adapter.modules].map(
    ([name, factors]) => [name, layOutFactors(factors)] as const,
  );
  return { ...adapter, modules: new Map(modules) };
}

/** Both factors with the rank outermost but for the 16 of a group, zeros behind the last rank. */
export function layOutFactors(factors: LoraFactors): LoraFactors {
  if (factors.layout === "run") return factors;
  const { rank, scale } = factors;
  return {
    rank,
    scale,
    down: layOutDown(factors.down, rank),
    up: layOutUp(factors.up, rank),
    layout: "run",
  };
}

/** [rank, in] to [group, in, 16]. */
function layOutDown(down: Float32Array, rank: number): Float32Array {
  const width = down.length / rank;
  const laidOut = new Float32Array(paddedRank(rank) * width);
  for (let first = 0; first < rank; first += ranksPerGroup) {
    const group = down.subarray(first * width, (first + ranksPerGroup) * width);
    transpose(group, width, { values: laidOut.subarray(first * width), columns: ranksPerGroup });
  }
  return laidOut;
}

/** [out, rank] to [ranks, out]. */
function layOutUp(up: Float32Array, rank: number): Float32Array {
  const out = up.length / rank;
  const laidOut = new Float32Array(paddedRank(rank) * out);
  transpose(up, rank, { values: laidOut, columns: out });
  return laidOut;
}

interface Matrix {
  readonly values: Float32Array;
  readonly columns: number;
}

/** Rows that are read together, so that what one brings into the cache is used up in time. */
const rowsTogether = 64;

/** Writes rows as columns; columns of the target beyond them stay as they are. */
function transpose(from: Float32Array, columns: number, target: Matrix): void {
  const rows = from.length / columns;
  const { values } = target;
  for (let start = 0; start < rows; start += rowsTogether) {
    const end = Math.min(start + rowsTogether, rows);
    for (let column = 0; column < columns; column += 1) {
      const to = column * target.columns;
      for (let row = start; row < end; row += 1) {
        values[to + row] = from[row * columns + column] ?? 0;
      }
    }
  }
}
