/** Turns the tensors of one of a file's modules into updates of the model's modules. */
import type { AdapterMetadata } from "./adapter-metadata.ts";
import { type Factors, splitFactors, type TargetFactors } from "./factors.ts";
import { multiplyKronecker, type OperandPlan, operandFactors } from "./kronecker.ts";
import type { ModulePlan } from "./plan-modules.ts";
import { type Scale, scaleOf } from "./scale-of.ts";
import type { TensorReader } from "./tensor-reader.ts";

/** Of rank 0 where the file holds nothing but zeros for the module. */
export interface ModuleUpdate extends TargetFactors {
  readonly scale: Scale;
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
  const updates = splitFactors(plan.module, await readFactors(reader, plan));
  return updates.map((update) => ({ ...update, scale }));
}

async function readFactors(reader: TensorReader, { factors }: ModulePlan): Promise<Factors> {
  if (factors.kind === "pair") {
    const down = await reader.readFloats(factors.down);
    const up = await reader.readFloats(factors.up);
    return { rank: factors.down.shape[0] ?? 0, down, up };
  }
  const [first, second] = factors.operands;
  return multiplyKronecker(await readOperand(reader, first), await readOperand(reader, second));
}

async function readOperand(reader: TensorReader, plan: OperandPlan): Promise<Factors> {
  const values: Float32Array[] = [];
  for (const tensor of plan.tensors) values.push(await reader.readFloats(tensor));
  return operandFactors(plan, values);
}
