/**
 * A complete model directory of a few megabytes with filler weights: it draws nothing sensible,
 * but through the same code as a real one.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  parseTextEncoderConfig,
  parseTransformerConfig,
  parseVaeFile,
} from "../src/model/config-files.ts";
import {
  expectedTextEncoderTensors,
  expectedTransformerTensors,
} from "../src/model/expected-tensors.ts";
import { expectedVaeTensors } from "../src/model/expected-vae-tensors.ts";
import { writeFilledSafetensors } from "./safetensors-writer.ts";
import { tinyTokenizer, tinyTokenizerConfig } from "./tiny-tokenizer.ts";

export const tinyTransformerFile = {
  _class_name: "ZImageTransformer2DModel",
  all_patch_size: [2],
  all_f_patch_size: [1],
  in_channels: 16,
  dim: 32,
  n_layers: 2,
  n_refiner_layers: 1,
  n_heads: 2,
  n_kv_heads: 2,
  norm_eps: 1e-5,
  qk_norm: true,
  cap_feat_dim: 32,
  rope_theta: 256,
  t_scale: 1000,
  axes_dims: [8, 4, 4],
  axes_lens: [256, 32, 32],
};

export const tinyTextEncoderFile = {
  architectures: ["Qwen3ForCausalLM"],
  model_type: "qwen3",
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: 512,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
};

export const tinyVaeFile = {
  _class_name: "AutoencoderKL",
  in_channels: 3,
  out_channels: 3,
  block_out_channels: [32, 64],
  layers_per_block: 1,
  latent_channels: 16,
  norm_num_groups: 32,
  act_fn: "silu",
  mid_block_add_attention: true,
  use_quant_conv: false,
  use_post_quant_conv: false,
  scaling_factor: 0.3611,
  shift_factor: 0.1159,
  sample_size: 32,
};

const modelIndexFile = {
  _class_name: "ZImagePipeline",
  scheduler: ["diffusers", "FlowMatchEulerDiscreteScheduler"],
  text_encoder: ["transformers", "Qwen3Model"],
  tokenizer: ["transformers", "Qwen2Tokenizer"],
  transformer: ["diffusers", "ZImageTransformer2DModel"],
  vae: ["diffusers", "AutoencoderKL"],
};

const schedulerFile = {
  _class_name: "FlowMatchEulerDiscreteScheduler",
  num_train_timesteps: 1000,
  use_dynamic_shifting: false,
  shift: 3,
};

/** Writes the model into an existing, empty directory. */
export async function writeTinyModel(directory: string): Promise<void> {
  const files = {
    "model_index.json": modelIndexFile,
    "scheduler/scheduler_config.json": schedulerFile,
    "tokenizer/tokenizer.json": tinyTokenizer(),
    "tokenizer/tokenizer_config.json": tinyTokenizerConfig,
    "transformer/config.json": tinyTransformerFile,
    "text_encoder/config.json": tinyTextEncoderFile,
    "vae/config.json": tinyVaeFile,
  };
  for (const folder of ["scheduler", "tokenizer", "transformer", "text_encoder", "vae"]) {
    await mkdir(join(directory, folder));
  }
  for (const [name, content] of Object.entries(files)) await writeJson(directory, name, content);
  await writeWeights(directory);
}

/** Writes one JSON file of a model; `name` is relative to its directory. */
export async function writeJson(directory: string, name: string, content: object): Promise<void> {
  await writeFile(join(directory, name), JSON.stringify(content));
}

async function writeWeights(directory: string): Promise<void> {
  const transformer = parseTransformerConfig(tinyTransformerFile, "transformer");
  const textEncoder = parseTextEncoderConfig(tinyTextEncoderFile, "text_encoder");
  const vae = parseVaeFile(tinyVaeFile, "vae").config;
  const weights = join(directory, "transformer/diffusion_pytorch_model.safetensors");
  await writeFilledSafetensors(weights, expectedTransformerTensors(transformer).required);
  // As a checkpoint of the whole language model: prefixed names and the layer nobody runs.
  const { required, optional } = expectedTextEncoderTensors(textEncoder);
  const named = [...required, ...optional].map(([name, shape]) =>
    name.startsWith("lm_head") ? ([name, shape] as const) : ([`model.${name}`, shape] as const),
  );
  await writeFilledSafetensors(join(directory, "text_encoder/model.safetensors"), new Map(named));
  await writeFilledSafetensors(
    join(directory, "vae/diffusion_pytorch_model.safetensors"),
    expectedVaeTensors(vae).required,
  );
}
