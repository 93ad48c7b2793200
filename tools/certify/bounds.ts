/**
 * How far apart results may be, by mode and part. Bounds are relative, because the activations of
 * the released model are a thousand times those of a small one.
 */
import type { Bound } from "./certificate.ts";

export interface ModeBounds {
  /** One run of a component on the reference's own inputs. */
  readonly component: Bound;
  /** Latents after steps that each side did by itself, so that differences add up. */
  readonly latents: Bound;
  readonly picture: Bound;
}

/**
 * float32 has 24 bits, 6e-8; sums of thousands of products in another order lose two decimals of
 * that, and eight steps another one.
 */
export const bounds = {
  fp32: {
    component: { relL2Max: 1e-5, maxAbsShareMax: 1e-4 },
    latents: { relL2Max: 1e-4, maxAbsShareMax: 1e-3 },
    picture: { psnrDbMin: 60, unequalShareMax: 0.01 },
  },
} as const satisfies Record<string, ModeBounds>;

/** Two mathematics libraries may differ in the last bit of a logarithm or a cosine. */
export const noiseBound: Bound = { maxAbsShareMax: 2e-7, relL2Max: 1e-7 };

export const equalBound: Bound = {};
