/**
 * How far apart results may be, by mode and part. Bounds are relative, because the activations of
 * the released model are a thousand times those of a small one.
 */
import type { WeightMode } from "@zfarm/zimage";
import type { Bound } from "./certificate.ts";

export interface ModeBounds {
  /** One run of a network on the reference's own inputs. */
  readonly component: Bound;
  /** Latents after steps that each side did by itself, so that differences add up. */
  readonly latents: Bound;
  readonly picture: Bound;
}

/**
 * float32 has 24 bits, 6e-8; sums of thousands of products in another order lose two decimals of
 * that, and eight steps another one.
 */
const exact: ModeBounds = {
  component: { relL2Max: 1e-5, maxAbsShareMax: 1e-4 },
  latents: { relL2Max: 1e-4, maxAbsShareMax: 1e-3 },
  picture: { psnrDbMin: 60, unequalShareMax: 0.01 },
};

/**
 * Integer blocks are lossy by design: a block of 128 values has 255 or 15 levels, so a weight is
 * off by up to 1/254 or 1/14 of the largest in its block. The bounds are two to three times what
 * the small model and random weights give.
 */
export const bounds: Readonly<Record<WeightMode, ModeBounds>> = {
  fp32: exact,
  // The same weights where they are stored in bfloat16, and computed in float32 too.
  bf16: exact,
  int8: {
    component: { relL2Max: 0.04 },
    latents: { relL2Max: 0.04 },
    picture: { psnrDbMin: 45 },
  },
  int4: {
    component: { relL2Max: 0.4 },
    latents: { relL2Max: 0.4 },
    picture: { psnrDbMin: 25 },
  },
};

/** The decoder keeps its weights in every mode. */
export const decoderBound: Bound = exact.component;

/** Two mathematics libraries may differ in the last bit of a logarithm or a cosine. */
export const noiseBound: Bound = { maxAbsShareMax: 2e-7, relL2Max: 1e-7 };

export const equalBound: Bound = {};
