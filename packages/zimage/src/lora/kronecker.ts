/**
 * LoKr: an update that is a Kronecker product. The product of two low-rank matrices has the product
 * of their ranks, and its factors are the Kronecker products of theirs, so it becomes a low-rank
 * update without any loss; one of more ranks than the bound is refused, never approximated.
 */
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import type { Factors } from "./factors.ts";
import { type LoraLimits, rankBoundOf } from "./limits.ts";
import { matrixShapeOf } from "./matrix-shape.ts";
import type { FileModule } from "./module-names.ts";
import type { LoraPart } from "./parse-key.ts";
import { refuseLora } from "./refuse.ts";

/** One operand of the product, [rows, columns]. */
export interface OperandPlan {
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
  /** The whole matrix, or two factors of it. */
  readonly tensors: readonly [HeaderTensor] | readonly [HeaderTensor, HeaderTensor];
}

export interface KroneckerPlan {
  readonly kind: "kronecker";
  readonly operands: readonly [OperandPlan, OperandPlan];
}

export interface PlannedKronecker {
  readonly factors: KroneckerPlan;
  readonly rank: number;
  /** Trainers scale by the rank of a factored operand; whole matrices are not scaled at all. */
  readonly alphaRank: number | undefined;
}

type Parts = ReadonlyMap<LoraPart, HeaderTensor>;

/** LORA_INVALID when the operands are incomplete, multiply to another size or to too many ranks. */
export function planKronecker(
  module: FileModule,
  parts: Parts,
  limits: LoraLimits,
): PlannedKronecker {
  const first = planOperand(module, [parts.get("w1"), parts.get("w1a"), parts.get("w1b")], "w1");
  const second = planOperand(module, [parts.get("w2"), parts.get("w2a"), parts.get("w2b")], "w2");
  const [out, width] = [first.rows * second.rows, first.columns * second.columns];
  if (out !== module.out || width !== module.in) {
    const problem = `multiplies to [${out},${width}], the model has [${module.out},${module.in}]`;
    refuseLora(`${module.name}.lokr`, problem);
  }
  const rank = first.rank * second.rank;
  const bound = rankBoundOf(module, limits);
  if (rank > bound) {
    const problem = `takes rank ${first.rank} · ${second.rank} = ${rank}; at most ${bound}`;
    refuseLora(`${module.name}.lokr`, problem);
  }
  const factored = [second, first].find(({ tensors }) => tensors.length === 2);
  return {
    factors: { kind: "kronecker", operands: [first, second] },
    rank,
    alphaRank: factored?.tensors[1]?.shape[0],
  };
}

type Tensors = readonly [
  whole: HeaderTensor | undefined,
  left: HeaderTensor | undefined,
  right: HeaderTensor | undefined,
];

function planOperand(module: FileModule, tensors: Tensors, name: string): OperandPlan {
  const [whole, left, right] = tensors;
  if (whole !== undefined && left === undefined && right === undefined) {
    const [rows, columns] = matrixShapeOf(whole);
    return { rows, columns, rank: Math.min(rows, columns), tensors: [whole] };
  }
  if (whole !== undefined || left === undefined || right === undefined) {
    refuseLora(`${module.name}.lokr_${name}`, "must be one matrix, or its two factors _a and _b");
  }
  const [rows, rank] = matrixShapeOf(left);
  const [rightRank, columns] = matrixShapeOf(right);
  if (rank !== rightRank) refuseLora(right.name, `has rank ${rightRank}, ${left.name} has ${rank}`);
  return { rows, columns, rank: Math.min(rank, rows, columns), tensors: [left, right] };
}

/** The factors of the product from those of its operands. */
export function multiplyKronecker(first: Factors, second: Factors): Factors {
  return {
    rank: first.rank * second.rank,
    down: kronecker(
      { values: first.down, columns: first.down.length / first.rank },
      { values: second.down, columns: second.down.length / second.rank },
    ),
    up: kronecker(
      { values: first.up, columns: first.rank },
      { values: second.up, columns: second.rank },
    ),
  };
}

/** Brings an operand to its lowest rank: factors of more ranks than sides are multiplied out. */
export function operandFactors(plan: OperandPlan, values: readonly Float32Array[]): Factors {
  const { rows, columns, rank } = plan;
  const [left = new Float32Array(), right] = values;
  const inner = left.length / rows;
  if (right !== undefined && inner === rank) return { rank, up: left, down: right };
  const whole = right === undefined ? left : multiply(plan, left, right);
  if (rows <= columns) return { rank, up: identity(rows), down: whole };
  return { rank, up: whole, down: identity(columns) };
}

interface Matrix {
  readonly values: Float32Array;
  readonly columns: number;
}

function kronecker(first: Matrix, second: Matrix): Float32Array {
  const product = new Float32Array(first.values.length * second.values.length);
  const rows = second.values.length / second.columns;
  const width = first.columns * second.columns;
  for (const [at, factor] of first.values.entries()) {
    if (factor === 0) continue;
    const top = Math.floor(at / first.columns) * rows;
    const left = (at % first.columns) * second.columns;
    for (let row = 0; row < rows; row += 1) {
      const start = (top + row) * width + left;
      const from = row * second.columns;
      for (let column = 0; column < second.columns; column += 1) {
        product[start + column] = factor * (second.values[from + column] ?? 0);
      }
    }
  }
  return product;
}

/** Sums in double precision, so that the result is as good as its elements. */
function multiply(
  { rows, columns }: OperandPlan,
  left: Float32Array,
  right: Float32Array,
): Float32Array {
  const inner = left.length / rows;
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let step = 0; step < inner; step += 1) {
      sum += (left[row * inner + step] ?? 0) * (right[step * columns + column] ?? 0);
    }
    return sum;
  });
}

function identity(size: number): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let at = 0; at < size; at += 1) matrix[at * (size + 1)] = 1;
  return matrix;
}
