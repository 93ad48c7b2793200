/**
 * What the configuration files of a model directory must say for this code to be right about them.
 * A value that changes the maths and is not implemented is refused here, never ignored.
 */
import { z } from "zod";
import type { TextEncoderConfig, TransformerConfig, VaeConfig } from "../config.ts";
import { parseFile } from "./read-json.ts";

// The bounds only keep arithmetic sane; the tensors' shapes are what really binds a configuration.
const size = z.int().min(1).max(1_048_576);
const depth = z.int().min(1).max(512);
const epsilon = z.number().positive().max(1);
const factor = z.number().positive().max(1e9);
const triple = z.tuple([size, size, size]);
/** A switch that must be off: absent, null or false. */
const off = z.literal(false).nullish();

const transformerFile = z
  .object({
    _class_name: z.literal("ZImageTransformer2DModel"),
    all_patch_size: z.tuple([z.int().min(1).max(16)]),
    all_f_patch_size: z.tuple([z.literal(1)]),
    in_channels: size,
    dim: size,
    n_layers: depth,
    n_refiner_layers: depth,
    n_heads: size,
    norm_eps: epsilon,
    qk_norm: z.literal(true),
    cap_feat_dim: size,
    rope_theta: factor,
    t_scale: factor,
    axes_dims: triple,
    axes_lens: triple,
    siglip_feat_dim: z.null().optional(),
  })
  .refine((file) => file.dim % file.n_heads === 0, {
    path: ["n_heads"],
    message: "must divide dim",
  })
  .refine((file) => file.axes_dims.every((width) => width % 2 === 0), {
    path: ["axes_dims"],
    message: "must be even: rotations work on pairs",
  })
  .refine((file) => file.axes_dims.reduce((a, b) => a + b) === file.dim / file.n_heads, {
    path: ["axes_dims"],
    message: "must add up to dim / n_heads",
  });

/** transformer/config.json of diffusers. `n_kv_heads` is ignored, as diffusers ignores it. */
export function parseTransformerConfig(value: unknown, file: string): TransformerConfig {
  const parsed = parseFile(transformerFile, value, file);
  return {
    inChannels: parsed.in_channels,
    dim: parsed.dim,
    layers: parsed.n_layers,
    refinerLayers: parsed.n_refiner_layers,
    heads: parsed.n_heads,
    normEps: parsed.norm_eps,
    captionDim: parsed.cap_feat_dim,
    ropeTheta: parsed.rope_theta,
    timeScale: parsed.t_scale,
    axesDims: parsed.axes_dims,
    axesLens: parsed.axes_lens,
    patchSize: parsed.all_patch_size[0],
  };
}

const textEncoderFile = z
  .object({
    architectures: z.tuple([z.enum(["Qwen3Model", "Qwen3ForCausalLM"])]),
    hidden_size: size,
    intermediate_size: size,
    // The state before the last layer is what counts, so one layer would leave nothing to run.
    num_hidden_layers: depth.min(2),
    num_attention_heads: size,
    num_key_value_heads: size,
    head_dim: size.multipleOf(2),
    vocab_size: size,
    rms_norm_eps: epsilon,
    rope_theta: factor.optional(),
    rope_parameters: z
      .object({ rope_type: z.literal("default").optional(), rope_theta: factor })
      .optional(),
    rope_scaling: z.null().optional(),
    hidden_act: z.literal("silu").optional(),
    attention_bias: off,
    use_sliding_window: off,
  })
  .refine((file) => file.num_attention_heads % file.num_key_value_heads === 0, {
    path: ["num_key_value_heads"],
    message: "must divide num_attention_heads",
  })
  .refine((file) => (file.rope_theta ?? file.rope_parameters) !== undefined, {
    path: ["rope_theta"],
    message: "is missing, and so is rope_parameters",
  });

/** text_encoder/config.json of transformers; version 5 moved `rope_theta` into an object. */
export function parseTextEncoderConfig(value: unknown, file: string): TextEncoderConfig {
  const parsed = parseFile(textEncoderFile, value, file);
  return {
    hidden: parsed.hidden_size,
    intermediate: parsed.intermediate_size,
    layers: parsed.num_hidden_layers,
    heads: parsed.num_attention_heads,
    kvHeads: parsed.num_key_value_heads,
    headDim: parsed.head_dim,
    vocabulary: parsed.vocab_size,
    normEps: parsed.rms_norm_eps,
    ropeTheta: parsed.rope_parameters?.rope_theta ?? parsed.rope_theta ?? Number.NaN,
  };
}

const vaeFile = z
  .object({
    _class_name: z.literal("AutoencoderKL"),
    in_channels: z.literal(3),
    out_channels: z.literal(3),
    block_out_channels: z.array(size).min(1).max(8),
    layers_per_block: depth,
    latent_channels: size,
    norm_num_groups: size,
    act_fn: z.literal("silu").optional(),
    mid_block_add_attention: z.literal(true).optional(),
    // Diffusers takes an absent value for true, so these two must be spelled out.
    use_quant_conv: z.literal(false),
    use_post_quant_conv: z.literal(false),
    scaling_factor: factor,
    shift_factor: z.number().min(-1e9).max(1e9),
    sample_size: z.int().min(1).max(65_536).optional(),
  })
  .refine((file) => file.block_out_channels.every((count) => count % file.norm_num_groups === 0), {
    path: ["norm_num_groups"],
    message: "must divide every one of block_out_channels",
  });

export interface VaeFile {
  readonly config: VaeConfig;
  /** Pixels of the square side the model was made for, where the file tells. */
  readonly sampleSize: number | undefined;
}

/** vae/config.json of diffusers. */
export function parseVaeFile(value: unknown, file: string): VaeFile {
  const parsed = parseFile(vaeFile, value, file);
  const config = {
    blockChannels: parsed.block_out_channels,
    layersPerBlock: parsed.layers_per_block,
    latentChannels: parsed.latent_channels,
    normGroups: parsed.norm_num_groups,
    scalingFactor: parsed.scaling_factor,
    shiftFactor: parsed.shift_factor,
  };
  return { config, sampleSize: parsed.sample_size };
}

const schedulerFile = z.object({
  _class_name: z.literal("FlowMatchEulerDiscreteScheduler"),
  num_train_timesteps: z.literal(1000),
  shift: factor,
  use_dynamic_shifting: off,
  use_karras_sigmas: off,
  use_exponential_sigmas: off,
  use_beta_sigmas: off,
  invert_sigmas: off,
  stochastic_sampling: off,
  shift_terminal: z.null().optional(),
});

export interface SchedulerConfig {
  /** Static shift of the noise levels; 3 for the released Turbo model. */
  readonly shift: number;
}

/** scheduler/scheduler_config.json of diffusers; anything but the plain static shift is refused. */
export function parseSchedulerConfig(value: unknown, file: string): SchedulerConfig {
  return { shift: parseFile(schedulerFile, value, file).shift };
}

const component = <Library extends string, Name extends string>(
  library: Library,
  names: readonly [Name, ...Name[]],
) => z.tuple([z.literal(library), z.enum(names)]);

const modelIndexFile = z.object({
  _class_name: z.literal("ZImagePipeline"),
  scheduler: component("diffusers", ["FlowMatchEulerDiscreteScheduler"]),
  text_encoder: component("transformers", ["Qwen3Model", "Qwen3ForCausalLM"]),
  tokenizer: component("transformers", ["Qwen2Tokenizer", "Qwen2TokenizerFast"]),
  transformer: component("diffusers", ["ZImageTransformer2DModel"]),
  vae: component("diffusers", ["AutoencoderKL"]),
});

/** Refuses a model_index.json whose pipeline or components are of unknown classes. */
export function checkModelIndex(value: unknown, file: string): void {
  parseFile(modelIndexFile, value, file);
}
