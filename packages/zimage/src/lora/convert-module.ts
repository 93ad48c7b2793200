/** Turns the tensors of one of a file's modules into updates of the model's modules. */
import type { ByteSource } from "../weights/byte-source.ts";
import type { AdapterMetadata } from "./adapter-metadata.ts";
import { type Factors, splitFactors, type TargetFactors } from "./factors.ts";
import { multiplyKronecker, type OperandPlan, operandFactors } from "./kronecker.ts";
import type { ModulePlan } from "./plan-modules.ts";
import { readFloats } from "./read-floats.ts";
import { type Scale, scaleOf } from "./scale-of.ts";

/** Of rank 0 where the file holds nothing but zeros for the module. */
export interface ModuleUpdate extends TargetFactors {
  readonly scale: Scale;
}

export interface Conversion {
  readonly source: ByteSource;
  readonly plan: ModulePlan;
  readonly metadata: AdapterMetadata;
}

/** Reads one module's tensors; LORA_INVALID names the one that holds what it should not. */
export async function convertModule({
  source,
  plan,
  metadata,
}: Conversion): Promise<readonly ModuleUpdate[]> {
  const scale = await scaleOf(source, plan, metadata);
  const updates = splitFactors(plan.module, await readFactors(source, plan));
  return updates.map((update) => ({ ...update, scale }));
}

async function readFactors(source: ByteSource, { factors }: ModulePlan): Promise<Factors> {
  if (factors.kind === "pair") {
    const down = await readFloats(source, factors.down);
    const up = await readFloats(source, factors.up);
    return { rank: factors.down.shape[0] ?? 0, down, up };
  }
  const [first, second] = factors.operands;
  return multiplyKronecker(await readOperand(source, first), await readOperand(source, second));
}

async function readOperand(source: ByteSource, plan: OperandPlan): Promise<Factors> {
  const values: Float32Array[] = [];
  for (const tensor of plan.tensors) values.push(await readFloats(source, tensor));
  return operandFactors(plan, values);
}
