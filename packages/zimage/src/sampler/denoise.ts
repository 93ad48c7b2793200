/** One denoise step of a batch: one run of the transformer and an Euler step for every sample. */
import { invariant } from "../invariant.ts";
import type { LoraStack } from "../networks/lora-batch.ts";
import type { Transformer } from "../networks/transformer.ts";
import { stepLatents } from "./euler.ts";
import { modelTime } from "./sigmas.ts";

/** A sample on its way from noise to a clean latent. */
export interface Denoising {
  /** float32, [channels, latentHeight, latentWidth]; changed in place. */
  readonly latents: Float32Array;
  /** Latent cells; samples of one latent size can share a step. */
  readonly latentHeight: number;
  readonly latentWidth: number;
  readonly caption: { readonly data: Float32Array; readonly length: number };
  /** Adapters; absent: the bare model. */
  readonly loras?: LoraStack;
  /** Noise levels, one more than there are steps. */
  readonly sigmas: Float32Array;
  /** Steps done so far. */
  stepsDone: number;
}

export function isDone(sample: Denoising): boolean {
  return sample.stepsDone === sample.sigmas.length - 1;
}

export function haveOneSize(batch: readonly Denoising[]): boolean {
  const [first] = batch;
  return batch.every(
    (one) => one.latentWidth === first?.latentWidth && one.latentHeight === first.latentHeight,
  );
}

/**
 * One step for every sample, each at its own noise level. All must have one latent size and a step
 * left. When the transformer fails, no sample has changed.
 */
export async function denoiseStep(
  transformer: Pick<Transformer, "predict">,
  batch: readonly Denoising[],
): Promise<void> {
  const [first] = batch;
  if (first === undefined) return;
  invariant(haveOneSize(batch), "samples of one step have one latent size");
  invariant(!batch.some(isDone), "samples of one step have a step left");
  const outputs = await transformer.predict({
    latents: batch.map((one) => one.latents),
    height: first.latentHeight,
    width: first.latentWidth,
    captions: batch.map((one) => one.caption),
    loras: batch.map((one) => one.loras ?? []),
    times: batch.map((one) => modelTime(one.sigmas[one.stepsDone] ?? 0)),
  });
  invariant(outputs.length === batch.length, "the transformer answers every sample");
  for (const [at, one] of batch.entries()) {
    const [sigma, sigmaNext] = one.sigmas.subarray(one.stepsDone);
    const output = outputs[at];
    invariant(output !== undefined, "there are as many outputs as samples");
    invariant(sigma !== undefined && sigmaNext !== undefined, "a step has two noise levels");
    stepLatents(one.latents, { output, sigma, sigmaNext });
    one.stepsDone += 1;
  }
}
