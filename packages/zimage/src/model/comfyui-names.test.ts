import { describe, expect, it } from "vitest";
import type { SingleFileTensor } from "../../test/single-file-names.ts";
import { fuseTransformer, nameAsLdm } from "../../test/single-file-names.ts";
import type { TranslateTensor } from "../weights/open-tensor-index.ts";
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import { translateTextEncoder, translateTransformer } from "./comfyui-names.ts";
import { expectedTransformerTensors, type Shapes } from "./expected-tensors.ts";
import { expectedVaeTensors } from "./expected-vae-tensors.ts";
import { translateVae } from "./ldm-vae-names.ts";
import { releasedTransformer, releasedVae } from "./released-configs.ts";

const transformer = expectedTransformerTensors(releasedTransformer).required;
const vaeShapes = expectedVaeTensors(releasedVae.config);
const vae = new Map([...vaeShapes.required, ...vaeShapes.optional]);

/** Headers as a file would have them, one tensor after the other. */
function layOut(tensors: readonly SingleFileTensor[]): HeaderTensor[] {
  let offset = 0;
  return tensors.map(({ name, shape }) => {
    const length = shape.reduce((product, size) => product * size, 2);
    const tensor = { name, dtype: "BF16", shape, offset, length } as const;
    offset += length;
    return tensor;
  });
}

function shapesOf(tensors: readonly SingleFileTensor[], translate: TranslateTensor): Shapes {
  return new Map(
    layOut(tensors)
      .flatMap(translate)
      .map(({ name, shape }) => [name, shape]),
  );
}

const byName = (shapes: Shapes) => [...shapes].toSorted(([a], [b]) => (a < b ? -1 : 1));

describe("translateTransformer", () => {
  it.each(["", "model.diffusion_model."])("makes 521 tensors of 453 under '%s'", (prefix) => {
    const single = fuseTransformer(transformer, prefix);

    const translated = shapesOf(single, translateTransformer);

    expect(single).toHaveLength(453);
    expect(translated.size).toBe(521);
    expect(byName(translated)).toEqual(byName(transformer));
  });

  it("does not convert a name of diffusers once more", () => {
    const plain = [...transformer].map(([name, shape]) => ({ name, shape, from: [name] }));

    expect(shapesOf(plain, translateTransformer)).toEqual(transformer);
  });

  it("reads query, key and value as rows of the fused tensor, in place", () => {
    const fused = {
      name: "layers.3.attention.qkv.weight",
      dtype: "BF16",
      shape: [96, 32],
      offset: 1000,
      length: 96 * 32 * 2,
    } as const;

    const parts = translateTransformer(fused);

    expect(parts.map(({ name }) => name)).toEqual(
      ["to_q", "to_k", "to_v"].map((module) => `layers.3.attention.${module}.weight`),
    );
    expect(parts.map(({ offset, length }) => [offset, length])).toEqual([
      [1000, 2048],
      [3048, 2048],
      [5096, 2048],
    ]);
    expect(parts.map(({ shape }) => shape)).toEqual([
      [32, 32],
      [32, 32],
      [32, 32],
    ]);
  });

  it("drops the norm that no code reads", () => {
    const [stray] = layOut([{ name: "norm_final.weight", shape: [3840], from: [] }]);

    expect(stray === undefined ? [] : translateTransformer(stray)).toEqual([]);
  });
});

describe("translateVae", () => {
  it("finds all 244 tensors of ae.safetensors", () => {
    const single = nameAsLdm(vae, 4);

    const translated = shapesOf(single, (tensor) => translateVae(tensor, 4));

    expect(single.map(({ name }) => name)).toContain("decoder.up.3.block.0.conv1.weight");
    expect(translated.size).toBe(244);
    expect(byName(translated)).toEqual(byName(vae));
  });

  it("lets the names of diffusers pass", () => {
    const plain = [...vae].map(([name, shape]) => ({ name, shape, from: [name] }));

    expect(shapesOf(plain, (tensor) => translateVae(tensor, 4))).toEqual(vae);
  });

  it("counts the decoder's levels from the other end", () => {
    const single = { name: "decoder.up.0.block.1.norm1.bias", shape: [128], from: [] };

    const translated = shapesOf([single], (tensor) => translateVae(tensor, 4));

    expect([...translated.keys()]).toEqual(["decoder.up_blocks.3.resnets.1.norm1.bias"]);
  });
});

it("translateTextEncoder takes the language model's prefix away, once", () => {
  const names = ["model.embed_tokens.weight", "layers.0.mlp.up_proj.weight"];

  const translated = layOut(names.map((name) => ({ name, shape: [2, 2], from: [] }))).flatMap(
    translateTextEncoder,
  );

  expect(translated.map(({ name }) => name)).toEqual([
    "embed_tokens.weight",
    "layers.0.mlp.up_proj.weight",
  ]);
});
