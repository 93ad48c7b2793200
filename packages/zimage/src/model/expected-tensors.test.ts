import { describe, expect, it } from "vitest";
import { tinyTransformerFile, tinyVaeFile } from "../../test/tiny-model.ts";
import { parseTransformerConfig, parseVaeFile } from "./config-files.ts";
import type { Shapes } from "./expected-tensors.ts";
import { expectedTextEncoderTensors, expectedTransformerTensors } from "./expected-tensors.ts";
import { expectedVaeTensors } from "./expected-vae-tensors.ts";
import { releasedTextEncoder, releasedTransformer } from "./released-configs.ts";

function countParameters(...lists: readonly Shapes[]): number {
  const shapes = lists.flatMap((list) => [...list.values()]);
  const sizes = shapes.map((shape) => shape.reduce((product, side) => product * side, 1));
  return sizes.reduce((sum, size) => sum + size, 0);
}

describe("expectedTransformerTensors", () => {
  it("counts the released model's 521 tensors and 6,154,908,736 parameters", () => {
    const { required } = expectedTransformerTensors(releasedTransformer);

    expect(required.size).toBe(521);
    expect(countParameters(required)).toBe(6_154_908_736);
  });

  it("counts the tiny model's 73 tensors and 364,176 parameters", () => {
    const tiny = { ...tinyTransformerFile, cap_feat_dim: 16 };

    const { required } = expectedTransformerTensors(parseTransformerConfig(tiny, "config.json"));

    expect(required.size).toBe(73);
    expect(countParameters(required)).toBe(364_176);
  });

  it("gives a block of the released model its published shapes", () => {
    const { required } = expectedTransformerTensors(releasedTransformer);

    expect(required.get("layers.29.feed_forward.w2.weight")).toEqual([3840, 10_240]);
    expect(required.get("layers.0.adaLN_modulation.0.bias")).toEqual([15_360]);
    expect(required.get("noise_refiner.1.attention.norm_q.weight")).toEqual([128]);
    expect(required.has("context_refiner.0.adaLN_modulation.0.weight")).toBe(false);
    expect(required.get("all_final_layer.2-1.linear.weight")).toEqual([64, 3840]);
  });
});

describe("expectedTextEncoderTensors", () => {
  it("trap 11: needs 35 of the released 36 layers and no final norm", () => {
    const { required } = expectedTextEncoderTensors(releasedTextEncoder);

    expect(countParameters(required)).toBe(3_921_534_720);
    expect(required.has("layers.34.mlp.up_proj.weight")).toBe(true);
    expect(required.has("layers.35.mlp.up_proj.weight")).toBe(false);
    expect(required.has("norm.weight")).toBe(false);
  });

  it("knows all 398 tensors of the released base model", () => {
    const { required, optional } = expectedTextEncoderTensors(releasedTextEncoder);

    const base = new Map([...optional].filter(([name]) => name !== "lm_head.weight"));
    expect(required.size + base.size).toBe(398);
    expect(countParameters(required, base)).toBe(4_022_468_096);
  });
});

describe("expectedVaeTensors", () => {
  it("counts the released model's 244 tensors, and its decoder", () => {
    const released = {
      ...tinyVaeFile,
      block_out_channels: [128, 256, 512, 512],
      layers_per_block: 2,
    };

    const { required, optional } = expectedVaeTensors(parseVaeFile(released, "vae").config);

    expect(required.size + optional.size).toBe(244);
    expect(countParameters(required)).toBe(49_545_475);
    expect(countParameters(optional)).toBe(34_274_208);
  });

  it("counts the tiny model's 120 tensors and 679,043 parameters", () => {
    const { required, optional } = expectedVaeTensors(parseVaeFile(tinyVaeFile, "vae").config);

    expect(required.size + optional.size).toBe(120);
    expect(countParameters(required, optional)).toBe(679_043);
  });
});
