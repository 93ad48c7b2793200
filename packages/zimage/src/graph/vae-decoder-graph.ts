/** The decoder of AutoencoderKL: latents to pictures, for any number of levels. */
import type { VaeConfig } from "../config.ts";
import { invariant } from "../invariant.ts";
import type { Device } from "../networks/device.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import type { Value } from "./operators.ts";
import {
  type Context,
  convolve,
  middle,
  normThenSilu,
  resnet,
  type StageSpec,
} from "./vae-stages.ts";
import { createGraph } from "./webgpu-graph.ts";

export const vaeDecoderInput = "latents";

/** Output `image` [batch, 3, factor · height, factor · width], about -1..1, not clamped. */
export function buildVaeDecoderGraph(
  config: VaeConfig,
  index: TensorIndex,
  target?: Device,
): Uint8Array {
  const graph = createGraph(index, target === undefined ? {} : { target });
  const context: Context = { graph, config, half: "decoder" };
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

/** The decoder has one resnet more per level than the encoder; the first changes the width. */
function upBlock(context: Context, image: Value, { name, from, to }: StageSpec): Value {
  let current = resnet(context, image, { name: `${name}.resnets.0`, from, to });
  for (let layer = 1; layer <= context.config.layersPerBlock; layer++) {
    current = resnet(context, current, { name: `${name}.resnets.${layer}`, from: to, to });
  }
  return current;
}
