/**
 * The autoencoder's tensors under the names of diffusers, from those of the code it was trained
 * with, which `ae.safetensors` still has.
 */
import type { HeaderTensor } from "../weights/safetensors-header.ts";

const middle: Readonly<Record<string, string>> = {
  block_1: "resnets.0",
  attn_1: "attentions.0",
  block_2: "resnets.1",
};

/** Ends of modules; they are the same in both halves. */
const modules: readonly (readonly [string, string])[] = [
  ["nin_shortcut", "conv_shortcut"],
  ["attentions.0.norm", "attentions.0.group_norm"],
  ["attentions.0.q", "attentions.0.to_q"],
  ["attentions.0.k", "attentions.0.to_k"],
  ["attentions.0.v", "attentions.0.to_v"],
  ["attentions.0.proj_out", "attentions.0.to_out.0"],
];

/**
 * For an autoencoder of `levels` resolutions; names of diffusers pass as they are. The projections
 * of the attention are 1×1 convolutions here and Linears there, which is the same bytes.
 */
export function translateVae(tensor: HeaderTensor, levels: number): readonly HeaderTensor[] {
  const dot = tensor.name.lastIndexOf(".");
  const module = renameModule(tensor.name.slice(0, dot), levels);
  const isProjection = /attentions\.0\.to_(q|k|v|out\.0)$/.test(module);
  const [rows = 0, columns = 0, ...kernel] = tensor.shape;
  const isPoint = kernel.length === 2 && kernel.every((size) => size === 1);
  const shape = isProjection && isPoint ? [rows, columns] : tensor.shape;
  return [{ ...tensor, name: module + tensor.name.slice(dot), shape }];
}

function renameModule(module: string, levels: number): string {
  const moved = module
    .replace(/^(\w+)\.mid\.(block_1|attn_1|block_2)/, (_, half: string, part: string) => {
      return `${half}.mid_block.${middle[part]}`;
    })
    .replace(/^encoder\.down\.(\d+)\.block\./, "encoder.down_blocks.$1.resnets.")
    .replace(/^encoder\.down\.(\d+)\.downsample\./, "encoder.down_blocks.$1.downsamplers.0.")
    // The decoder's levels are counted from the picture there and from the latent here.
    .replace(/^decoder\.up\.(\d+)\.(block|upsample)\./, (_, level: string, part: string) => {
      const kind = part === "block" ? "resnets." : "upsamplers.0.";
      return `decoder.up_blocks.${levels - 1 - Number(level)}.${kind}`;
    })
    .replace(/^(encoder|decoder)\.norm_out$/, "$1.conv_norm_out");
  for (const [from, to] of modules) {
    if (moved.endsWith(`.${from}`)) return moved.slice(0, -from.length) + to;
  }
  return moved;
}
