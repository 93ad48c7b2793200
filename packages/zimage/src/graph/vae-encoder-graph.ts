/** The encoder of AutoencoderKL: pictures to the moments of their latents, for any levels. */
import type { VaeConfig } from "../config.ts";
import { invariant } from "../invariant.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { Graph, type Value } from "./operators.ts";
import {
  type Context,
  convolve,
  middle,
  normThenSilu,
  resnet,
  type StageSpec,
} from "./vae-stages.ts";

export const vaeEncoderInput = "image";

/**
 * Input `image` [batch, 3, height, width] in -1..1, sides multiples of the factor. Output
 * `moments` [batch, 2 · channels, height / factor, width / factor]: the mean, then the logarithm
 * of the variance.
 */
export function buildVaeEncoderGraph(config: VaeConfig, index: TensorIndex): Uint8Array {
  const graph = new Graph(index);
  const context: Context = { graph, config, half: "encoder" };
  const widths = config.blockChannels;
  const [narrowest, widest] = [widths[0], widths.at(-1)];
  invariant(widest !== undefined && narrowest !== undefined, "a VAE has at least one level");

  const image = graph.input(vaeEncoderInput, "float", ["batch", 3, "height", "width"]);
  let current = convolve(context, image, { name: "conv_in", from: 3, to: narrowest });
  let from = narrowest;
  for (const [level, to] of widths.entries()) {
    current = downBlock(context, current, { name: `down_blocks.${level}`, from, to });
    if (level < widths.length - 1) {
      const name = `encoder.down_blocks.${level}.downsamplers.0.conv`;
      current = graph.halve(current, { name, inChannels: to, outChannels: to, size: 3 });
    }
    from = to;
  }
  current = middle(context, current, widest);
  const normal = normThenSilu(context, current, { name: "conv_norm_out", channels: widest });
  const to = 2 * config.latentChannels;
  const moments = convolve(context, normal, { name: "conv_out", from: widest, to });
  graph.output("moments", moments, ["batch", to, "latent height", "latent width"]);
  return graph.toBytes("vae-encoder");
}

function downBlock(context: Context, image: Value, { name, from, to }: StageSpec): Value {
  let current = image;
  for (let layer = 0; layer < context.config.layersPerBlock; layer++) {
    const spec = { name: `${name}.resnets.${layer}`, from: layer === 0 ? from : to, to };
    current = resnet(context, current, spec);
  }
  return current;
}
