/** The stages that both halves of AutoencoderKL are made of. */
import type { VaeConfig } from "../config.ts";
import { biasedLinear } from "./linear.ts";
import type { Graph, Value } from "./operators.ts";

/** Fixed by the architecture, for every group norm. */
const normEpsilon = 1e-6;

/** What the stages of one half share. */
export interface Context {
  readonly graph: Graph;
  /** Which half: the first part of every tensor name. */
  readonly half: "encoder" | "decoder";
  readonly config: VaeConfig;
}

export interface StageSpec {
  /** Module name below the half. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The 3×3 convolution that all stages are made of. */
export function convolve(
  { graph, half }: Context,
  image: Value,
  { name, from, to }: StageSpec,
): Value {
  return graph.convolution(image, {
    name: `${half}.${name}`,
    inChannels: from,
    outChannels: to,
    size: 3,
  });
}

/** A layer that keeps the number of channels. */
interface NormSpec {
  readonly name: string;
  readonly channels: number;
}

function norm({ graph, half, config }: Context, image: Value, { name, channels }: NormSpec): Value {
  return graph.groupNorm(image, {
    name: `${half}.${name}`,
    channels,
    groups: config.normGroups,
    epsilon: normEpsilon,
  });
}

/** What stands before every convolution of a resnet. */
export function normThenSilu(context: Context, image: Value, spec: NormSpec): Value {
  return context.graph.silu(norm(context, image, spec));
}

/** Two convolutions beside a shortcut, which is a 1×1 convolution where the width changes. */
export function resnet(context: Context, image: Value, { name, from, to }: StageSpec): Value {
  const first = normThenSilu(context, image, { name: `${name}.norm1`, channels: from });
  const hidden = convolve(context, first, { name: `${name}.conv1`, from, to });
  const second = normThenSilu(context, hidden, { name: `${name}.norm2`, channels: to });
  const branch = convolve(context, second, { name: `${name}.conv2`, from: to, to });
  if (from === to) return context.graph.add(image, branch);
  const shortcut = context.graph.convolution(image, {
    name: `${context.half}.${name}.conv_shortcut`,
    inChannels: from,
    outChannels: to,
    size: 1,
  });
  return context.graph.add(shortcut, branch);
}

/** The only attention stands where the image is smallest. */
export function middle(context: Context, image: Value, channels: number): Value {
  const stage = { from: channels, to: channels };
  const first = resnet(context, image, { name: "mid_block.resnets.0", ...stage });
  const mixed = attend(context, first, { name: "mid_block.attentions.0", channels });
  return resnet(context, mixed, { name: "mid_block.resnets.1", ...stage });
}

/** Every cell attends to every cell, in one head as wide as the channels. */
function attend(context: Context, image: Value, { name, channels }: NormSpec): Value {
  const { graph, half } = context;
  const normal = norm(context, image, { name: `${name}.group_norm`, channels });
  const rows = graph.transpose(graph.reshape(normal, [0, channels, -1]), [0, 2, 1]);
  const project = (module: string, input: Value): Value => {
    const spec = { name: `${half}.${name}.${module}`, in: channels, out: channels };
    return biasedLinear(graph, input, spec);
  };
  const query = project("to_q", rows);
  const key = project("to_k", rows);
  const value = project("to_v", rows);
  const spec = { heads: 1, headDim: channels };
  const mixed = project("to_out.0", graph.fullAttention({ query, key, value }, spec));
  const cells = graph.reshapeTo(graph.transpose(mixed, [0, 2, 1]), graph.shapeOf(image));
  return graph.add(image, cells);
}
