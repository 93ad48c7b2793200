/** The low-rank update of one Linear in float32, and how it comes apart. */
import type { LinearSpec } from "../graph/linear.ts";
import type { FileModule } from "./module-names.ts";

/** B · A. */
export interface Factors {
  readonly rank: number;
  /** A, [rank, in]. */
  readonly down: Float32Array;
  /** B, [out, rank]. */
  readonly up: Float32Array;
}

export interface TargetFactors extends Factors {
  readonly target: LinearSpec;
}

/**
 * The updates of the model's modules behind one of a file. They share A and take the rows of B that
 * are theirs. Ranks with nothing but zeros on either side are left out, which is exact: a fused
 * module that was made of three by a block-diagonal B gives back the three.
 */
export function splitFactors(module: FileModule, factors: Factors): TargetFactors[] {
  let row = 0;
  return module.targets.map((target) => {
    const rows = factors.up.subarray(row * factors.rank, (row + target.out) * factors.rank);
    row += target.out;
    return { target, ...dropIdleRanks({ ...factors, up: rows }) };
  });
}

function dropIdleRanks(factors: Factors): Factors {
  const ranks = activeRanks(factors);
  if (ranks.length === factors.rank) return factors;
  const width = factors.down.length / factors.rank;
  const height = factors.up.length / factors.rank;
  const down = new Float32Array(ranks.length * width);
  const up = new Float32Array(ranks.length * height);
  for (const [at, rank] of ranks.entries()) {
    down.set(factors.down.subarray(rank * width, (rank + 1) * width), at * width);
    for (let row = 0; row < height; row += 1) {
      up[row * ranks.length + at] = factors.up[row * factors.rank + rank] ?? 0;
    }
  }
  return { rank: ranks.length, down, up };
}

/** Ranks whose row of A and column of B hold something. */
function activeRanks({ rank, down, up }: Factors): number[] {
  const width = down.length / rank;
  const ranks = Array.from({ length: rank }, (_, at) => at);
  return ranks.filter((at) => {
    const row = down.subarray(at * width, (at + 1) * width);
    return row.some((value) => value !== 0) && hasColumn(up, at, rank);
  });
}

function hasColumn(matrix: Float32Array, column: number, columns: number): boolean {
  for (let at = column; at < matrix.length; at += columns) {
    if (matrix[at] !== 0) return true;
  }
  return false;
}
