/** One Euler step along the flow, in float32 whatever the model computes in. */

export interface EulerStep {
  /** The transformer's raw output, which points from data to noise: the negated velocity. */
  readonly output: Float32Array;
  readonly sigma: number;
  readonly sigmaNext: number;
}

/** Moves the latents in place from `sigma` to `sigmaNext`. */
export function stepLatents(latents: Float32Array, step: EulerStep): void {
  const change = Math.fround(step.sigmaNext - step.sigma);
  for (let at = 0; at < latents.length; at += 1) {
    const velocity = -(step.output[at] ?? 0);
    latents[at] = (latents[at] ?? 0) + Math.fround(change * velocity);
  }
}
