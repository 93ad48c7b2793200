/** Turns the tensors of one of a file's modules into updates of the model's modules. */
import type { LinearSpec } from "../graph/linear.ts";
import type { LoraProduct } from "../networks/lora-kronecker.ts";
import type { AdapterMetadata } from "./adapter-metadata.ts";
import { type Factors, splitFactors, type TargetFactors } from "./factors.ts";
import {
  type KroneckerPlan,
  multiplyKronecker,
  type OperandPlan,
  operandFactors,
  wholeOperand,
} from "./kronecker.ts";
import type { ModulePlan } from "./plan-modules.ts";
import { type Scale, scaleOf } from "./scale-of.ts";
import type { TensorReader } from "./tensor-reader.ts";

/** Of rank 0 where the file holds nothing but zeros for the module. */
export type ModuleUpdate = { readonly scale: Scale } & (
  | ({ readonly kind: "pair" } & TargetFactors)
  | ({ readonly kind: "product" } & TargetProduct)
);

/** A Kronecker product that stays one, in arrays of its own. */
export interface TargetProduct extends Omit<LoraProduct, "scale"> {
  readonly target: LinearSpec;
  readonly rank: number;
}

export interface Conversion {
  readonly reader: TensorReader;
  readonly plan: ModulePlan;
  readonly metadata: AdapterMetadata;
}

/** Reads one module's tensors; LORA_INVALID names the one that holds what it should not. */
export async function convertModule({
  reader,
  plan,
  metadata,
}: Conversion): Promise<readonly ModuleUpdate[]> {
  const scale = await scaleOf(reader, plan, metadata);
  const { module, factors } = plan;
  if (factors.kind === "kronecker" && factors.becomes === "product") {
    const products = await readProducts(reader, plan, factors);
    return products.map((update) => ({ kind: "product", ...update, scale }));
  }
  const updates = splitFactors(module, await readFactors(reader, plan));
  return updates.map((update) => ({ kind: "pair", ...update, scale }));
}

async function readFactors(reader: TensorReader, { factors }: ModulePlan): Promise<Factors> {
  if (factors.kind === "pair") {
    const down = await reader.readFloats(factors.down);
    const up = await reader.readFloats(factors.up);
    return { rank: factors.down.shape[0] ?? 0, down, up };
  }
  const [first, second] = factors.operands;
  return multiplyKronecker(
    operandFactors(first, await readOperand(reader, first)),
    operandFactors(second, await readOperand(reader, second)),
  );
}

async function readOperand(reader: TensorReader, plan: OperandPlan): Promise<Float32Array[]> {
  const values: Float32Array[] = [];
  for (const tensor of plan.tensors) values.push(await reader.readFloats(tensor));
  return values;
}

/** Modules behind a fused one share the second operand and take the rows of the first. */
async function readProducts(
  reader: TensorReader,
  { module, rank }: ModulePlan,
  { operands }: KroneckerPlan,
): Promise<TargetProduct[]> {
  const [first, second] = operands;
  const left = wholeOperand(first, await readOperand(reader, first));
  const right = wholeOperand(second, await readOperand(reader, second));
  const rows = first.rows / module.targets.length;
  const count = rows * first.columns;
  return module.targets.map((target, at): TargetProduct => {
    const own = left.subarray(at * count, (at + 1) * count);
    const factors = new Float32Array(count + right.length);
    factors.set(own);
    factors.set(right, count);
    const acts = [own, right].every((values) => values.some((value) => value !== 0));
    return {
      target,
      rank: acts ? rank : 0,
      first: { rows, columns: first.columns },
      second: { rows: second.rows, columns: second.columns },
      factors,
    };
  });
}
