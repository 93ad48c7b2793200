/**
 * The configurations of the released Z-Image models, for files that come without theirs. The
 * tensors' shapes are checked against them like against any others.
 */
import type { TextEncoderConfig, TransformerConfig } from "../config.ts";
import type { VaeFile } from "./config-files.ts";

/** Turbo and base alike. */
export const releasedTransformer: TransformerConfig = {
  inChannels: 16,
  dim: 3840,
  layers: 30,
  refinerLayers: 2,
  heads: 30,
  normEps: 1e-5,
  captionDim: 2560,
  ropeTheta: 256,
  timeScale: 1000,
  axesDims: [32, 48, 48],
  axesLens: [1536, 512, 512],
  patchSize: 2,
};

/** Parameters of that transformer, as published. */
export const releasedParameterCount = 6_154_908_736;

/** Qwen3-4B. */
export const releasedTextEncoder: TextEncoderConfig = {
  hidden: 2560,
  intermediate: 9728,
  layers: 36,
  heads: 32,
  kvHeads: 8,
  headDim: 128,
  vocabulary: 151_936,
  normEps: 1e-6,
  ropeTheta: 1_000_000,
};

/** The autoencoder of FLUX.1. */
export const releasedVae: VaeFile = {
  config: {
    blockChannels: [128, 256, 512, 512],
    layersPerBlock: 2,
    latentChannels: 16,
    normGroups: 32,
    scalingFactor: 0.3611,
    shiftFactor: 0.1159,
  },
  sampleSize: 1024,
};

/** Members of the family that share these networks and differ in their training. */
export type FamilyMember = "turbo" | "base";

/** The static shift tells the members apart: nothing in the tensors does. */
export const shiftOf: Readonly<Record<FamilyMember, number>> = { turbo: 3, base: 6 };

/** Undefined for a shift that no released member has. */
export function memberOfShift(shift: number): FamilyMember | undefined {
  if (shift === shiftOf.turbo) return "turbo";
  return shift === shiftOf.base ? "base" : undefined;
}

/** Files as they are published carry the member's name; a bare `z_image` is the base model. */
export function memberOfFileName(name: string): FamilyMember | undefined {
  if (/turbo/i.test(name)) return "turbo";
  return /z[-_ ]?image|base/i.test(name) ? "base" : undefined;
}
