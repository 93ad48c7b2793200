/** The factor of a module's update: alpha over rank, wherever the file keeps its alpha. */
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import type { AdapterMetadata } from "./adapter-metadata.ts";
import { alphaMax } from "./limits.ts";
import type { AlphaOrigin } from "./lora-report.ts";
import type { ModulePlan } from "./plan-modules.ts";
import { refuseLora } from "./refuse.ts";
import type { TensorReader } from "./tensor-reader.ts";

export interface Scale {
  readonly value: number;
  readonly alpha: number;
  readonly from: AlphaOrigin;
}

/** LORA_INVALID names an alpha that is no number above 0 and at most 4096. */
export async function scaleOf(
  reader: TensorReader,
  plan: ModulePlan,
  metadata: AdapterMetadata,
): Promise<Scale> {
  // Whole matrices: trainers write any alpha, even one that overflows, and use none.
  if (plan.alphaRank === undefined) return { value: 1, alpha: plan.rank, from: "rank" };
  const rank = plan.alphaRank;
  const stated = metadata.alphaOf(plan.module.name);
  if (plan.alpha !== undefined) {
    const alpha = await readAlpha(reader, plan.alpha);
    return { value: alpha / rank, alpha, from: "tensors" };
  }
  if (stated === undefined) return { value: 1, alpha: rank, from: "rank" };
  const divisor = metadata.isRankStabilized ? Math.sqrt(rank) : rank;
  return { value: stated / divisor, alpha: stated, from: "metadata" };
}

async function readAlpha(reader: TensorReader, tensor: HeaderTensor): Promise<number> {
  const count = tensor.shape.reduce((product, side) => product * side, 1);
  if (count !== 1) refuseLora(tensor.name, `has ${count} elements, must be one number`);
  const [alpha = 0] = await reader.readFloats(tensor);
  if (!(alpha > 0 && alpha <= alphaMax)) {
    refuseLora(tensor.name, `is ${alpha}, must be above 0 and at most ${alphaMax}`);
  }
  return alpha;
}
