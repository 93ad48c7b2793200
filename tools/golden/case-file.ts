/**
 * What a golden case may say. Unknown fields are errors: a misspelt one would test something else.
 */
import {
  ModelError,
  parseTextEncoderConfig,
  parseTransformerConfig,
  parseVaeFile,
} from "@zfarm/zimage";
import { z } from "zod";
import { spellingNames } from "../../packages/zimage/test/lora-files.ts";

/** A case that cannot be run as it is written; the message names the field. */
export class CaseError extends Error {
  override readonly name = "CaseError";
}

const side = z.int().min(1).max(1_048_576);
const elementsMax = 2 ** 26;
const tensor = z
  .strictObject({
    name: z.string().min(1),
    shape: z.array(side).min(1).max(5),
    scale: z.number().optional(),
  })
  .refine((spec) => spec.shape.reduce((a, b) => a * b, 1) <= elementsMax, {
    path: ["shape"],
    message: `has more than ${elementsMax} elements`,
  });
export type TensorSpec = z.output<typeof tensor>;

const withShape = (rank: number, what: string) =>
  tensor.refine((spec) => spec.shape.length === rank, { path: ["shape"], message: `is ${what}` });
const caption = withShape(2, "[rows, cap_feat_dim]");

/** The keys of a configuration, with spaces between; the values are for the model's own parser. */
function configOf<T>(keys: string, parse: (value: unknown, file: string) => T) {
  const shape = Object.fromEntries(keys.split(" ").map((key) => [key, z.json().optional()]));
  return z.strictObject(shape).transform((value, context): T => {
    try {
      return parse(value, "config");
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });
}

const transformerConfig = configOf(
  [
    "in_channels dim n_layers n_refiner_layers n_heads n_kv_heads norm_eps",
    "qk_norm cap_feat_dim rope_theta t_scale axes_dims axes_lens",
    "all_patch_size all_f_patch_size",
  ].join(" "),
  (value, file) =>
    parseTransformerConfig({ ...Object(value), _class_name: "ZImageTransformer2DModel" }, file),
);

const textEncoderConfig = configOf(
  [
    "hidden_size intermediate_size num_hidden_layers num_attention_heads",
    "num_key_value_heads head_dim vocab_size rms_norm_eps rope_theta",
  ].join(" "),
  (value, file) =>
    parseTextEncoderConfig({ ...Object(value), architectures: ["Qwen3Model"] }, file),
);

/** What a golden case leaves out of vae/config.json because only one value is possible. */
const vaeConstants = {
  _class_name: "AutoencoderKL",
  in_channels: 3,
  out_channels: 3,
  use_quant_conv: false,
  use_post_quant_conv: false,
};
const vaeConfig = configOf(
  [
    "block_out_channels layers_per_block latent_channels norm_num_groups",
    "scaling_factor shift_factor",
  ].join(" "),
  (value, file) => parseVaeFile({ ...Object(value), ...vaeConstants }, file).config,
);

const lora = z.strictObject({
  layers: z.array(z.int().min(0)).min(1),
  modules: z.array(z.string().min(1)).min(1),
  rank: side,
  alpha: z.number().positive(),
  strength: z.number(),
  scale: z.number(),
  /** How the file is spelled that the adapter is written to and read from. */
  spelling: z.enum(spellingNames).default("diffusers"),
});
export type LoraSpec = z.output<typeof lora>;

const transformerCase = z.strictObject({
  component: z.literal("transformer"),
  config: transformerConfig,
  samples: z
    .array(
      z.strictObject({
        latent: withShape(4, "[channels, 1, height, width]"),
        caption,
        t: z.number().min(0).max(1),
      }),
    )
    .min(1),
  loras: z.array(lora).optional(),
});
export type TransformerCase = z.output<typeof transformerCase>;

const textEncoderCase = z.strictObject({
  component: z.literal("text-encoder"),
  config: textEncoderConfig,
  ids: z.array(z.int().min(0)).min(1),
});
export type TextEncoderCase = z.output<typeof textEncoderCase>;

const latents = withShape(4, "[batch, channels, height, width]");
const vaeCase = z.strictObject({
  component: z.literal("vae-decode"),
  config: vaeConfig,
  latent: latents,
});
export type VaeCase = z.output<typeof vaeCase>;

const pipelineCase = z
  .strictObject({
    component: z.literal("pipeline"),
    transformer: transformerConfig,
    vae: vaeConfig,
    sampler: z.strictObject({
      steps: z.int().min(1).max(50),
      shift: z.number().positive(),
      // As in diffusers' pipeline: 0 is off, and so is a bound of 0.
      guidance: z.number().min(0).default(0),
      cfg_normalization: z.number().min(0).default(0),
      cfg_truncation: z.number().min(0).max(1).default(1),
    }),
    latents,
    captions: z.array(caption).min(1),
    /** What each picture is guided away from: needed where guidance is on. */
    negatives: z.array(caption).default([]),
  })
  .refine((one) => one.sampler.guidance === 0 || one.negatives.length === one.captions.length, {
    path: ["negatives"],
    message: "must be as many as there are captions where guidance is on",
  })
  .refine((one) => one.captions.length === one.latents.shape[0], {
    path: ["captions"],
    message: "must be as many as there are latents",
  });
export type PipelineCase = z.output<typeof pipelineCase>;

const goldenCase = z.discriminatedUnion("component", [
  transformerCase,
  textEncoderCase,
  vaeCase,
  pipelineCase,
]);
export type GoldenCase = z.output<typeof goldenCase>;

/** Reads a case; CaseError names everything that is wrong with it. */
export function parseCase(text: string): GoldenCase {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CaseError("the case is not JSON", { cause });
  }
  const result = goldenCase.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const field = issue.path.map(String).join(".");
    return field === "" ? issue.message : `field ${field}: ${issue.message}`;
  });
  throw new CaseError(problems.join("; "));
}
