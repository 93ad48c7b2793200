/** The decoder of AutoencoderKL: latents to pictures, for any number of levels. */
import type { VaeConfig } from "../config.ts";
import { invariant } from "../invariant.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { fullAttention } from "./attention.ts";
import { biasedLinear } from "./linear.ts";
import { Graph, type Value } from "./operators.ts";

/** Fixed by the architecture, for every group norm. */
const normEpsilon = 1e-6;

export const vaeDecoderInput = "latents";

/** Output `image` [batch, 3, factor · height, factor · width], about -1..1, not clamped. */
export function buildVaeDecoderGraph(config: VaeConfig, index: TensorIndex): Uint8Array {
  const graph = new Graph(index);
  const context = { graph, config };
  const widths = config.blockChannels.toReversed();
  const [widest, narrowest] = [widths[0], widths.at(-1)];
  invariant(widest !== undefined && narrowest !== undefined, "a VAE has at least one level");

  const latents = graph.input(vaeDecoderInput, "float", [
    "batch",
    config.latentChannels,
    "height",
    "width",
  ]);
  let image = convolve(context, latents, {
    name: "conv_in",
    from: config.latentChannels,
    to: widest,
  });
  image = middle(context, image, widest);
  let from = widest;
  for (const [level, to] of widths.entries()) {
    image = upBlock(context, image, { name: `up_blocks.${level}`, from, to });
    if (level < widths.length - 1) {
      const name = `up_blocks.${level}.upsamplers.0.conv`;
      image = convolve(context, graph.upsample(image), { name, from: to, to });
    }
    from = to;
  }
  const normal = normThenSilu(context, image, { name: "conv_norm_out", channels: narrowest });
  const picture = convolve(context, normal, { name: "conv_out", from: narrowest, to: 3 });
  graph.output("image", picture, ["batch", 3, "image height", "image width"]);
  return graph.toBytes("vae-decoder");
}

/** What the parts of the decoder share. */
interface Context {
  readonly graph: Graph;
  readonly config: VaeConfig;
}

interface StageSpec {
  /** Module name below `decoder`. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The 3×3 convolution that all stages are made of. */
function convolve({ graph }: Context, image: Value, { name, from, to }: StageSpec): Value {
  return graph.convolution(image, {
    name: `decoder.${name}`,
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

function norm({ graph, config }: Context, image: Value, { name, channels }: NormSpec): Value {
  return graph.groupNorm(image, {
    name: `decoder.${name}`,
    channels,
    groups: config.normGroups,
    epsilon: normEpsilon,
  });
}

/** What stands before every convolution of a resnet. */
function normThenSilu(context: Context, image: Value, spec: NormSpec): Value {
  return context.graph.silu(norm(context, image, spec));
}

/** Two convolutions beside a shortcut, which is a 1×1 convolution where the width changes. */
function resnet(context: Context, image: Value, { name, from, to }: StageSpec): Value {
  const first = normThenSilu(context, image, { name: `${name}.norm1`, channels: from });
  const hidden = convolve(context, first, { name: `${name}.conv1`, from, to });
  const second = normThenSilu(context, hidden, { name: `${name}.norm2`, channels: to });
  const branch = convolve(context, second, { name: `${name}.conv2`, from: to, to });
  if (from === to) return context.graph.add(image, branch);
  const shortcut = context.graph.convolution(image, {
    name: `decoder.${name}.conv_shortcut`,
    inChannels: from,
    outChannels: to,
    size: 1,
  });
  return context.graph.add(shortcut, branch);
}

/** The decoder has one resnet more per level than the encoder; the first changes the width. */
function upBlock(context: Context, image: Value, { name, from, to }: StageSpec): Value {
  let current = resnet(context, image, { name: `${name}.resnets.0`, from, to });
  for (let layer = 1; layer <= context.config.layersPerBlock; layer++) {
    current = resnet(context, current, { name: `${name}.resnets.${layer}`, from: to, to });
  }
  return current;
}

/** The only attention stands where the image is smallest. */
function middle(context: Context, image: Value, channels: number): Value {
  const stage = { from: channels, to: channels };
  const first = resnet(context, image, { name: "mid_block.resnets.0", ...stage });
  const mixed = attend(context, first, { name: "mid_block.attentions.0", channels });
  return resnet(context, mixed, { name: "mid_block.resnets.1", ...stage });
}

/** Every cell attends to every cell, in one head as wide as the channels. */
function attend(context: Context, image: Value, { name, channels }: NormSpec): Value {
  const { graph } = context;
  const normal = norm(context, image, { name: `${name}.group_norm`, channels });
  const rows = graph.transpose(graph.reshape(normal, [0, channels, -1]), [0, 2, 1]);
  const project = (module: string, input: Value): Value => {
    const spec = { name: `decoder.${name}.${module}`, in: channels, out: channels };
    return biasedLinear(graph, input, spec);
  };
  const query = project("to_q", rows);
  const key = project("to_k", rows);
  const value = project("to_v", rows);
  const mixed = project("to_out.0", fullAttention(graph, { query, key, value }, 1));
  const cells = graph.reshapeTo(graph.transpose(mixed, [0, 2, 1]), graph.shapeOf(image));
  return graph.add(image, cells);
}
