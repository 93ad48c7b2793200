import { describe, expect, it } from "vitest";
import { tinyTextEncoderFile, tinyTransformerFile, tinyVaeFile } from "../../test/tiny-model.ts";
import {
  checkModelIndex,
  parseSchedulerConfig,
  parseTextEncoderConfig,
  parseTransformerConfig,
  parseVaeFile,
} from "./config-files.ts";

const file = "config.json";
const refusal = (field: string): unknown =>
  expect.objectContaining({ code: "MODEL_INVALID", file, field });

describe("parseTransformerConfig", () => {
  it("reads the fields that matter and ignores the rest", () => {
    expect(parseTransformerConfig({ ...tinyTransformerFile, extra: 1 }, file)).toMatchObject({
      dim: 32,
      heads: 2,
      captionDim: 32,
      axesDims: [8, 4, 4],
      axesLens: [256, 32, 32],
      patchSize: 2,
    });
  });

  it("trap 13: demands axes_lens instead of assuming the class's default", () => {
    const { axes_lens: _, ...without } = tinyTransformerFile;

    expect(() => parseTransformerConfig(without, file)).toThrow(refusal("axes_lens"));
  });

  it.each([
    ["_class_name", "FluxTransformer2DModel"],
    ["qk_norm", false],
    ["all_f_patch_size.0", undefined],
    ["n_heads", 5],
    ["n_layers", 0],
    ["norm_eps", -1],
    ["axes_dims", [8, 4, 2]],
    ["siglip_feat_dim", 1152],
  ])("refuses a %s it cannot honour", (field, value) => {
    const [key = ""] = field.split(".");
    const changed = { ...tinyTransformerFile, [key]: key === field ? value : [2] };

    expect(() => parseTransformerConfig(changed, file)).toThrow(refusal(field));
  });
});

describe("parseTextEncoderConfig", () => {
  it("finds rope_theta where version 5 of transformers puts it", () => {
    const { rope_theta: _, ...rest } = tinyTextEncoderFile;
    const moved = { ...rest, rope_parameters: { rope_type: "default", rope_theta: 5_000 } };

    expect(parseTextEncoderConfig(moved, file).ropeTheta).toBe(5_000);
    expect(() => parseTextEncoderConfig(rest, file)).toThrow(refusal("rope_theta"));
  });

  it.each([
    ["architectures.0", ["LlamaForCausalLM"]],
    ["attention_bias", true],
    ["hidden_act", "gelu"],
    ["num_hidden_layers", 1],
    ["num_key_value_heads", 3],
    ["use_sliding_window", true],
    ["rope_scaling", { factor: 4 }],
  ])("refuses a %s it cannot honour", (field, value) => {
    const [key = ""] = field.split(".");

    expect(() => parseTextEncoderConfig({ ...tinyTextEncoderFile, [key]: value }, file)).toThrow(
      refusal(field),
    );
  });
});

describe("parseVaeFile", () => {
  it("keeps the size the model was made for", () => {
    expect(parseVaeFile(tinyVaeFile, file).sampleSize).toBe(32);
  });

  it.each([
    ["_class_name", "AutoencoderTiny"],
    // Diffusers takes an absent switch for true, which is not what this code does.
    ["use_quant_conv", undefined],
    ["use_post_quant_conv", true],
    ["mid_block_add_attention", false],
    ["act_fn", "relu"],
    ["norm_num_groups", 24],
    ["scaling_factor", 0],
  ])("refuses a %s it cannot honour", (field, value) => {
    expect(() => parseVaeFile({ ...tinyVaeFile, [field]: value }, file)).toThrow(refusal(field));
  });
});

describe("parseSchedulerConfig", () => {
  const plain = { _class_name: "FlowMatchEulerDiscreteScheduler", num_train_timesteps: 1000 };

  it("takes the shift from the file", () => {
    expect(parseSchedulerConfig({ ...plain, shift: 6 }, file)).toEqual({ shift: 6 });
  });

  it.each([
    ["shift", undefined],
    ["use_dynamic_shifting", true],
    ["use_karras_sigmas", true],
    ["shift_terminal", 0.02],
    ["_class_name", "DDIMScheduler"],
  ])("refuses a %s it cannot honour", (field, value) => {
    expect(() => parseSchedulerConfig({ ...plain, shift: 3, [field]: value }, file)).toThrow(
      refusal(field),
    );
  });
});

describe("checkModelIndex", () => {
  it("refuses another pipeline by its name", () => {
    const index = { _class_name: "FluxPipeline" };

    expect(() => checkModelIndex(index, file)).toThrow(refusal("_class_name"));
  });
});
