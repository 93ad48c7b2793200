/**
 * The names and shapes a configuration promises: what a checkpoint must hold, and what it may
 * hold.
 */
import type { TextEncoderConfig, TransformerConfig } from "../config.ts";

export type Shapes = ReadonlyMap<string, readonly number[]>;

export interface ExpectedTensors {
  /** Every one of these must be there with exactly this shape. */
  readonly required: Shapes;
  /** These are not read; where they are, their shape must still be right. */
  readonly optional: Shapes;
}

/** Collects shapes under dotted names; the two helpers are the only layer kinds there are. */
export class ShapeList {
  readonly shapes = new Map<string, readonly number[]>();

  vector(name: string, size: number): void {
    this.shapes.set(`${name}.weight`, [size]);
  }

  /** `shape` is [out, in, ...kernel]. */
  affine(name: string, shape: readonly [number, ...number[]]): void {
    this.linear(name, shape);
    this.shapes.set(`${name}.bias`, [shape[0]]);
  }

  linear(name: string, shape: readonly number[]): void {
    this.shapes.set(`${name}.weight`, shape);
  }
}

/** Hidden size of the transformer's feed-forward layers: dim / 3 * 8 in floating point, cut off. */
export function feedForwardSize(dim: number): number {
  return Math.trunc((dim / 3) * 8);
}

/** Width of the time embedding that every modulated block reads. */
export function modulationSize(dim: number): number {
  return Math.min(dim, 256);
}

// Constants of the architecture that no configuration file carries.
const sinusoidSize = 256;
const timeHiddenSize = 1024;

/** Tensors of ZImageTransformer2DModel; 521 for the released configuration. */
export function expectedTransformerTensors(config: TransformerConfig): ExpectedTensors {
  const { dim, patchSize } = config;
  const list = new ShapeList();
  const patch = patchSize * patchSize * config.inChannels;
  list.shapes.set("x_pad_token", [1, dim]);
  list.shapes.set("cap_pad_token", [1, dim]);
  list.affine(`all_x_embedder.${patchSize}-1`, [dim, patch]);
  list.affine("t_embedder.mlp.0", [timeHiddenSize, sinusoidSize]);
  list.affine("t_embedder.mlp.2", [modulationSize(dim), timeHiddenSize]);
  list.vector("cap_embedder.0", config.captionDim);
  list.affine("cap_embedder.1", [dim, config.captionDim]);
  for (let at = 0; at < config.refinerLayers; at += 1) {
    addBlock(list, { name: `noise_refiner.${at}`, config, modulated: true });
    addBlock(list, { name: `context_refiner.${at}`, config, modulated: false });
  }
  for (let at = 0; at < config.layers; at += 1) {
    addBlock(list, { name: `layers.${at}`, config, modulated: true });
  }
  list.affine(`all_final_layer.${patchSize}-1.linear`, [patch, dim]);
  list.affine(`all_final_layer.${patchSize}-1.adaLN_modulation.1`, [dim, modulationSize(dim)]);
  return { required: list.shapes, optional: new Map() };
}

interface Block {
  readonly name: string;
  readonly config: TransformerConfig;
  /** Whether the time embedding scales and gates the block. */
  readonly modulated: boolean;
}

function addBlock(list: ShapeList, block: Block): void {
  const { name } = block;
  const { dim, heads } = block.config;
  const wide = feedForwardSize(dim);
  for (const kind of ["to_q", "to_k", "to_v", "to_out.0"]) {
    list.linear(`${name}.attention.${kind}`, [dim, dim]);
  }
  for (const kind of ["norm_q", "norm_k"]) list.vector(`${name}.attention.${kind}`, dim / heads);
  list.linear(`${name}.feed_forward.w1`, [wide, dim]);
  list.linear(`${name}.feed_forward.w2`, [dim, wide]);
  list.linear(`${name}.feed_forward.w3`, [wide, dim]);
  for (const kind of ["attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"]) {
    list.vector(`${name}.${kind}`, dim);
  }
  if (block.modulated) list.affine(`${name}.adaLN_modulation.0`, [4 * dim, modulationSize(dim)]);
}

/** Tensors of Qwen3 without the `model.` prefix; the last layer, norm and head are not needed. */
export function expectedTextEncoderTensors(config: TextEncoderConfig): ExpectedTensors {
  const required = new ShapeList();
  const optional = new ShapeList();
  required.linear("embed_tokens", [config.vocabulary, config.hidden]);
  for (let at = 0; at < config.layers; at += 1) {
    addQwenLayer(at < config.layers - 1 ? required : optional, `layers.${at}`, config);
  }
  optional.vector("norm", config.hidden);
  optional.linear("lm_head", [config.vocabulary, config.hidden]);
  return { required: required.shapes, optional: optional.shapes };
}

function addQwenLayer(list: ShapeList, name: string, config: TextEncoderConfig): void {
  const { hidden, intermediate, headDim } = config;
  const queries = config.heads * headDim;
  const keys = config.kvHeads * headDim;
  list.linear(`${name}.self_attn.q_proj`, [queries, hidden]);
  list.linear(`${name}.self_attn.k_proj`, [keys, hidden]);
  list.linear(`${name}.self_attn.v_proj`, [keys, hidden]);
  list.linear(`${name}.self_attn.o_proj`, [hidden, queries]);
  list.vector(`${name}.self_attn.q_norm`, headDim);
  list.vector(`${name}.self_attn.k_norm`, headDim);
  list.linear(`${name}.mlp.gate_proj`, [intermediate, hidden]);
  list.linear(`${name}.mlp.up_proj`, [intermediate, hidden]);
  list.linear(`${name}.mlp.down_proj`, [hidden, intermediate]);
  list.vector(`${name}.input_layernorm`, hidden);
  list.vector(`${name}.post_attention_layernorm`, hidden);
}
