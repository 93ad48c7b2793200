/**
 * The names that ComfyUI's single files give to the tensors of diffusers, written down apart from
 * the code under test and in the other direction.
 */

/** One tensor of a single file and the tensors it is laid together from. */
export interface SingleFileTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** In the order of their rows. */
  readonly from: readonly string[];
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/** The transformer with query, key and value fused. */
export function fuseTransformer(shapes: Shapes, prefix = ""): SingleFileTensor[] {
  return [...shapes].flatMap(([name, shape]): SingleFileTensor[] => {
    if (/\.to_[kv]\.weight$/.test(name)) return [];
    if (name.endsWith(".to_q.weight")) {
      const from = ["q", "k", "v"].map((kind) => name.replace("to_q", `to_${kind}`));
      const fused = [3 * (shape[0] ?? 0), shape[1] ?? 0];
      return [{ name: prefix + name.replace("to_q", "qkv"), shape: fused, from }];
    }
    const plain = name
      .replace("all_x_embedder.2-1.", "x_embedder.")
      .replace("all_final_layer.2-1.", "final_layer.")
      .replace(".to_out.0.", ".out.")
      .replace(".norm_q.", ".q_norm.")
      .replace(".norm_k.", ".k_norm.");
    return [{ name: prefix + plain, shape, from: [name] }];
  });
}

/** The autoencoder as `ae.safetensors` names it; its projections are convolutions there. */
export function nameAsLdm(shapes: Shapes, levels: number): SingleFileTensor[] {
  return [...shapes].map(([name, shape]) => {
    const isProjection = /attentions\.0\.to_.*weight$/.test(name);
    const plain = name
      .replace("mid_block.resnets.0", "mid.block_1")
      .replace("mid_block.resnets.1", "mid.block_2")
      .replace("mid_block.attentions.0.group_norm", "mid.attn_1.norm")
      .replace("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out")
      .replace("mid_block.attentions.0.to_", "mid.attn_1.")
      .replace(/down_blocks\.(\d)\.resnets\./, "down.$1.block.")
      .replace(/down_blocks\.(\d)\.downsamplers\.0\./, "down.$1.downsample.")
      .replace(/up_blocks\.(\d)\.resnets\./, (_, at) => `up.${levels - 1 - Number(at)}.block.`)
      .replace(
        /up_blocks\.(\d)\.upsamplers\.0\./,
        (_, at) => `up.${levels - 1 - Number(at)}.upsample.`,
      )
      .replace("conv_norm_out", "norm_out")
      .replace("conv_shortcut", "nin_shortcut");
    return { name: plain, shape: isProjection ? [...shape, 1, 1] : shape, from: [name] };
  });
}
