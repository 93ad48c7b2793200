/**
 * Decides from the header alone what each module's update is and what it will cost, and refuses
 * what does not fit the model, before any of the data is read.
 */
import { type LinearSpec, ranksPerGroup } from "../graph/linear.ts";
import { productBytes } from "../networks/lora-kronecker.ts";
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import type { ModuleTensors } from "./group-keys.ts";
import {
  type KroneckerPlan,
  multiplicationsOf,
  type PlanTerms,
  planKronecker,
} from "./kronecker.ts";
import { type LoraLimits, rankBoundOf } from "./limits.ts";
import { describeWidth } from "./look-alike.ts";
import { matrixShapeOf } from "./matrix-shape.ts";
import type { FileModule } from "./module-names.ts";
import { refuseLora } from "./refuse.ts";

/** B · A. */
export interface PairPlan {
  readonly kind: "pair";
  /** A, [rank, in]. */
  readonly down: HeaderTensor;
  /** B, [out, rank]. */
  readonly up: HeaderTensor;
}

export interface ModulePlan {
  readonly module: FileModule;
  readonly factors: PairPlan | KroneckerPlan;
  /** Before ranks without effect are dropped. */
  readonly rank: number;
  /** The scale's divisor; undefined where the update has no rank of its own and its scale is 1. */
  readonly alphaRank: number | undefined;
  readonly alpha: HeaderTensor | undefined;
}

/** LORA_INVALID names the tensor, its size and the bound. */
export function planModule({ module, parts }: ModuleTensors, terms: PlanTerms): ModulePlan {
  const alpha = parts.get("alpha");
  const [down, up] = [parts.get("down"), parts.get("up")];
  const isKronecker = [...parts.keys()].some((part) => part.startsWith("w"));
  if (isKronecker) {
    if (down !== undefined || up !== undefined) {
      refuseLora(module.name, "has factors of LoRA and of LoKr; a module may come once");
    }
    return { module, alpha, ...planKronecker(module, parts, terms) };
  }
  if (down === undefined) refuseLora(module.name, "has no lora_A (lora_down)");
  if (up === undefined) refuseLora(module.name, "has no lora_B (lora_up)");
  const rank = checkPair(module, down, up);
  // A fused module may hold the ranks of its parts side by side; each part keeps its own.
  checkRank(module, Math.ceil(rank / module.targets.length), terms.limits);
  return { module, factors: { kind: "pair", down, up }, rank, alphaRank: rank, alpha };
}

function checkPair(module: FileModule, down: HeaderTensor, up: HeaderTensor): number {
  const [rank, width] = matrixShapeOf(down);
  const [height, upRank] = matrixShapeOf(up);
  checkWidth(down, { field: "inputs", value: width, bound: module.in });
  checkWidth(up, { field: "outputs", value: height, bound: module.out });
  if (rank !== upRank) {
    refuseLora(up.name, `has rank ${upRank} where ${down.name} has ${rank}`);
  }
  return rank;
}

interface Width {
  readonly field: string;
  readonly value: number;
  readonly bound: number;
}

function checkWidth(tensor: HeaderTensor, { field, value, bound }: Width): void {
  if (value === bound) return;
  const problem = `has ${value} ${field}, the model has ${bound}${describeWidth(value)}`;
  refuseLora(tensor.name, problem);
}

/** LORA_INVALID when a module takes more ranks than it may. */
export function checkRank(
  module: { readonly name: string; readonly in: number; readonly out: number },
  rank: number,
  limits: LoraLimits,
): void {
  const bound = rankBoundOf(module, limits);
  if (rank > bound) refuseLora(module.name, `takes rank ${rank}; at most ${bound}`);
}

/** Bytes on a device: float32, ranks filled up to whole groups. */
export function factorBytes(target: LinearSpec, rank: number): number {
  const ranks = Math.ceil(rank / ranksPerGroup) * ranksPerGroup;
  return ranks * (target.in + target.out) * Float32Array.BYTES_PER_ELEMENT;
}

/** A small file can stand for a large adapter, because a product of factors is expanded. */
export function checkWork(plans: readonly ModulePlan[], limits: LoraLimits): void {
  const bytes = sum(plans.map((plan) => deviceBytesOf(plan, limits)));
  if (bytes > limits.deviceBytesMax) {
    refuseLora("file", `takes ${bytes} bytes on a device; at most ${limits.deviceBytesMax}`);
  }
  const { multiplicationsMax } = limits;
  const multiplications = sum(
    plans.flatMap(({ factors }) =>
      factors.kind === "pair" ? [] : factors.operands.map(multiplicationsOf),
    ),
  );
  if (multiplications > multiplicationsMax) {
    refuseLora("file", `takes ${multiplications} multiplications; at most ${multiplicationsMax}`);
  }
}

function deviceBytesOf({ module, factors, rank }: ModulePlan, limits: LoraLimits): number {
  return sum(
    module.targets.map((target) => {
      if (factors.kind === "kronecker" && factors.becomes === "product") {
        const [first, second] = factors.operands;
        return productBytes({ first, second });
      }
      return factorBytes(target, Math.min(rank, limits.rankMax));
    }),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
