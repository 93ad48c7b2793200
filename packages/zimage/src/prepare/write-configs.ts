/**
 * Puts the configuration files into a prepared directory: those of the source, and for single files
 * without any the ones that say what is known of them.
 */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TextEncoderConfig, TransformerConfig } from "../config.ts";
import type { VaeFile } from "../model/config-files.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";

export async function writeConfigs(model: ModelDirectory, folder: string): Promise<void> {
  const known = configFilesOf({
    shift: model.scheduler.shift,
    transformer: model.transformer.config,
    textEncoder: model.textEncoder.config,
    vae: model.vae,
  });
  const names = new Set([...Object.keys(known), ...model.configFiles.keys()]);
  for (const name of names) {
    const target = join(folder, name);
    await mkdir(dirname(target), { recursive: true });
    const source = model.configFiles.get(name);
    if (source !== undefined) await copyFile(source, target);
    else await writeFile(target, `${JSON.stringify(known[name], undefined, 2)}\n`);
  }
}

export interface KnownConfigs {
  readonly shift: number;
  readonly transformer: TransformerConfig;
  readonly textEncoder: TextEncoderConfig;
  readonly vae: VaeFile;
}

/** The files that say this, by their names in a model directory; without the tokenizer's. */
export function configFilesOf(configs: KnownConfigs): Readonly<Record<string, object>> {
  return {
    "model_index.json": modelIndex,
    "scheduler/scheduler_config.json": schedulerFile(configs.shift),
    "transformer/config.json": transformerFile(configs.transformer),
    "text_encoder/config.json": textEncoderFile(configs.textEncoder),
    "vae/config.json": vaeFile(configs.vae),
  };
}

const modelIndex = {
  _class_name: "ZImagePipeline",
  scheduler: ["diffusers", "FlowMatchEulerDiscreteScheduler"],
  text_encoder: ["transformers", "Qwen3Model"],
  tokenizer: ["transformers", "Qwen2Tokenizer"],
  transformer: ["diffusers", "ZImageTransformer2DModel"],
  vae: ["diffusers", "AutoencoderKL"],
};

function schedulerFile(shift: number): object {
  return {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    num_train_timesteps: 1000,
    use_dynamic_shifting: false,
    shift,
  };
}

function transformerFile(config: TransformerConfig): object {
  return {
    _class_name: "ZImageTransformer2DModel",
    all_patch_size: [config.patchSize],
    all_f_patch_size: [1],
    in_channels: config.inChannels,
    dim: config.dim,
    n_layers: config.layers,
    n_refiner_layers: config.refinerLayers,
    n_heads: config.heads,
    n_kv_heads: config.heads,
    norm_eps: config.normEps,
    qk_norm: true,
    cap_feat_dim: config.captionDim,
    rope_theta: config.ropeTheta,
    t_scale: config.timeScale,
    axes_dims: config.axesDims,
    axes_lens: config.axesLens,
  };
}

function textEncoderFile(config: TextEncoderConfig): object {
  return {
    architectures: ["Qwen3Model"],
    model_type: "qwen3",
    hidden_size: config.hidden,
    intermediate_size: config.intermediate,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    vocab_size: config.vocabulary,
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta,
    hidden_act: "silu",
    attention_bias: false,
  };
}

function vaeFile({ config, sampleSize }: VaeFile): object {
  return {
    _class_name: "AutoencoderKL",
    in_channels: 3,
    out_channels: 3,
    block_out_channels: config.blockChannels,
    layers_per_block: config.layersPerBlock,
    latent_channels: config.latentChannels,
    norm_num_groups: config.normGroups,
    act_fn: "silu",
    mid_block_add_attention: true,
    use_quant_conv: false,
    use_post_quant_conv: false,
    scaling_factor: config.scalingFactor,
    shift_factor: config.shiftFactor,
    ...(sampleSize === undefined ? {} : { sample_size: sampleSize }),
  };
}
