/**
 * LoKr: an update that is a Kronecker product. The product of two low-rank matrices has the product
 * of their ranks, and its factors are the Kronecker products of theirs, so one of few ranks becomes
 * a low-rank update without any loss. One of many, such as that of two whole matrices, stays what
 * it is. Nothing is approximated.
 */
import { runRanksMax } from "../graph/linear.ts";
import { mostBetween, numbersBetween } from "../networks/lora-kronecker.ts";
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
  /** "pair": it becomes one. "product": its operands go into the run as they are. */
  readonly becomes: "pair" | "product";
}

export interface PlannedKronecker {
  readonly factors: KroneckerPlan;
  readonly rank: number;
  /** Trainers scale by the rank of a factored operand; whole matrices are not scaled at all. */
  readonly alphaRank: number | undefined;
}

export interface PlanTerms {
  readonly limits: LoraLimits;
  /** Whether the model's graph has inputs for products; see `loraSupportOf`. */
  readonly takesProducts: boolean;
}

type Parts = ReadonlyMap<LoraPart, HeaderTensor>;

/** LORA_INVALID when the operands are incomplete or of another size, or the product too large. */
export function planKronecker(
  module: FileModule,
  parts: Parts,
  terms: PlanTerms,
): PlannedKronecker {
  const first = planOperand(module, [parts.get("w1"), parts.get("w1a"), parts.get("w1b")], "w1");
  const second = planOperand(module, [parts.get("w2"), parts.get("w2a"), parts.get("w2b")], "w2");
  const [out, width] = [first.rows * second.rows, first.columns * second.columns];
  if (out !== module.out || width !== module.in) {
    const problem = `multiplies to [${out},${width}], the model has [${module.out},${module.in}]`;
    refuseLora(`${module.name}.lokr`, problem);
  }
  const factored = [second, first].find(({ tensors }) => tensors.length === 2);
  return {
    factors: {
      kind: "kronecker",
      operands: [first, second],
      becomes: planForm(module, [first, second], terms),
    },
    rank: first.rank * second.rank,
    alphaRank: factored?.tensors[1]?.shape[0],
  };
}

/** Up to the ranks of a run it may share one with others; beyond them the operands cost less. */
function planForm(
  module: FileModule,
  [first, second]: KroneckerPlan["operands"],
  { limits, takesProducts }: PlanTerms,
): "pair" | "product" {
  const rank = first.rank * second.rank;
  const isPair = rank <= Math.min(rankBoundOf(module, limits), runRanksMax);
  if (!takesProducts || isPair) return "pair";
  const field = `${module.name}.lokr`;
  const { targets } = module;
  if (first.rows % targets.length !== 0) {
    refuseLora(field, `has ${first.rows} rows in w1, which ${targets.length} modules cannot share`);
  }
  const between = numbersBetween({ first, second });
  const most = Math.min(...targets.map(mostBetween));
  if (between > most) {
    refuseLora(field, `takes ${between} numbers a row between its factors; at most ${most}`);
  }
  return "product";
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
  if (right !== undefined && left.length / rows === rank) return { rank, up: left, down: right };
  const whole = wholeOperand(plan, values);
  if (rows <= columns) return { rank, up: identity(rows), down: whole };
  return { rank, up: whole, down: identity(columns) };
}

/** The operand as one matrix, row by row. */
export function wholeOperand(plan: OperandPlan, values: readonly Float32Array[]): Float32Array {
  const [left = new Float32Array(), right] = values;
  return right === undefined ? left : multiply(plan, left, right);
}

/** Multiplications that `wholeOperand` makes. */
export function multiplicationsOf({ rows, columns, tensors }: OperandPlan): number {
  return tensors.length === 1 ? 0 : rows * columns * (tensors[0].shape[1] ?? 0);
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
  const product = new Float32Array(rows * columns);
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row += 1) {
    sums.fill(0);
    for (let step = 0; step < inner; step += 1) {
      const factor = left[row * inner + step] ?? 0;
      const from = step * columns;
      for (let column = 0; column < columns; column += 1) {
        sums[column] = (sums[column] ?? 0) + factor * (right[from + column] ?? 0);
      }
    }
    product.set(sums, row * columns);
  }
  return product;
}

function identity(size: number): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let at = 0; at < size; at += 1) matrix[at * (size + 1)] = 1;
  return matrix;
}
