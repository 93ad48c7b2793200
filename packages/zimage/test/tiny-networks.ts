/** The tiny networks that the reference values were computed with, and their inputs. */
import type { TextEncoderConfig, TransformerConfig, VaeConfig } from "../src/config.ts";
import { expectedTransformerTensors } from "../src/model/expected-tensors.ts";
import type { LoraAdapter, LoraFactors } from "../src/networks/lora-batch.ts";
import type { TransformerBatch } from "../src/networks/transformer.ts";
import { fillInput } from "./hash-filler.ts";

export const tinyTransformer: TransformerConfig = {
  inChannels: 16,
  dim: 32,
  layers: 2,
  refinerLayers: 1,
  heads: 2,
  normEps: 1e-5,
  captionDim: 16,
  ropeTheta: 256,
  timeScale: 1000,
  axesDims: [8, 4, 4],
  axesLens: [256, 32, 32],
  patchSize: 2,
};

export const tinyTextEncoder: TextEncoderConfig = {
  hidden: 32,
  intermediate: 64,
  layers: 3,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  vocabulary: 512,
  normEps: 1e-6,
  ropeTheta: 1e6,
};

export const tinyVae: VaeConfig = {
  blockChannels: [32, 64],
  layersPerBlock: 1,
  latentChannels: 16,
  normGroups: 32,
  scalingFactor: 0.3611,
  shiftFactor: 0.1159,
};

/** The three reference cases; their names end in the inputs' names. */
const cases = {
  A: { height: 16, width: 16, captionLength: 16, time: 0 },
  B: { height: 6, width: 10, captionLength: 37, time: 0.25 },
  C: { height: 8, width: 8, captionLength: 32, time: 1 },
} as const;

export function tinyCase(name: keyof typeof cases): TransformerBatch {
  const { height, width, captionLength, time } = cases[name];
  return {
    latents: [fillInput(`input.latents.${name}`, 16 * height * width)],
    height,
    width,
    captions: [tinyCaption(`input.cap.${name}`, captionLength)],
    times: [time],
  };
}

export function tinyCaption(
  name: string,
  length: number,
): { readonly data: Float32Array; readonly length: number } {
  return { data: fillInput(name, length * tinyTransformer.captionDim), length };
}

/** Updates as the references make them; of rank 4 for the tiny transformer when nothing is said. */
export function tinyAdapter(
  id: string,
  modules: readonly string[],
  options: { readonly rank?: number; readonly config?: TransformerConfig } = {},
): LoraAdapter {
  const { rank = 4, config = tinyTransformer } = options;
  const shapes = expectedTransformerTensors(config).required;
  const factorsOf = (name: string): LoraFactors => {
    const [out = 0, width = 0] = shapes.get(`${name}.weight`) ?? [];
    const down = fillInput(`lora.${name}.A`, rank * width, 0.2);
    return { rank, scale: 2, down, up: fillInput(`lora.${name}.B`, out * rank, 0.2) };
  };
  return { id, modules: new Map(modules.map((name) => [name, factorsOf(name)])) };
}

/** Products of made-up factors, [4, 4] and what is left, on Linears of sides that 4 divides. */
export function tinyProducts(
  id: string,
  modules: readonly string[],
  config: TransformerConfig = tinyTransformer,
): LoraAdapter {
  const shapes = expectedTransformerTensors(config).required;
  const products = modules.map((name) => {
    const [out = 0, width = 0] = shapes.get(`${name}.weight`) ?? [];
    const second = { rows: out / 4, columns: width / 4 };
    const factors = fillInput(`${id} ${name}`, 16 + second.rows * second.columns, 0.2);
    return [name, { scale: 1, first: { rows: 4, columns: 4 }, second, factors }] as const;
  });
  return { id, modules: new Map(), products: new Map(products) };
}

/** The Linears that LoRAs for this family usually hold. */
export const tinyLoraModules: readonly string[] = [0, 1].flatMap((layer) =>
  [
    "attention.to_q",
    "attention.to_k",
    "attention.to_v",
    "attention.to_out.0",
    "feed_forward.w1",
    "feed_forward.w2",
    "feed_forward.w3",
    "adaLN_modulation.0",
  ].map((module) => `layers.${layer}.${module}`),
);
