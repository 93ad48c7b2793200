/**
 * One denoise step of a batch: one run of the transformer, or two predictions in one run where a
 * sample is guided, and an Euler step for every sample.
 */
import { invariant } from "../invariant.ts";
import type { LoraStack } from "../networks/lora-batch.ts";
import type { Transformer } from "../networks/transformer.ts";
import { checkPrediction } from "./check-output.ts";
import { stepLatents } from "./euler.ts";
import { type Guidance, guide, isGuided } from "./guidance.ts";
import { modelTime } from "./sigmas.ts";

/** A prompt as the transformer reads it. */
interface CaptionRows {
  readonly data: Float32Array;
  readonly length: number;
}

/** A sample on its way from noise to a clean latent. */
export interface Denoising {
  /** float32, [channels, latentHeight, latentWidth]; changed in place. */
  readonly latents: Float32Array;
  /** Latent cells; samples of one latent size can share a step. */
  readonly latentHeight: number;
  readonly latentWidth: number;
  readonly caption: CaptionRows;
  /** Adapters; absent: the bare model. They act on both predictions of a guided sample. */
  readonly loras?: LoraStack;
  /** Absent: the sample follows its caption alone. */
  readonly guidance?: GuidanceAway | undefined;
  /** Noise levels, one more than there are steps. */
  readonly sigmas: Float32Array;
  /** Steps done so far. */
  stepsDone: number;
  /** What the transformer said in the last step; absent before the first. */
  lastOutput?: Float32Array;
}

/** Guidance, and the caption it leads away from. */
export interface GuidanceAway extends Guidance {
  readonly negative: CaptionRows;
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
  const guided = batch.filter((one) => isGuided(one.guidance, timeOf(one)));
  // The negative predictions come last, so that everything else keeps its place in the batch.
  const runs = [...batch, ...guided];
  const outputs = await transformer.predict({
    latents: runs.map((one) => one.latents),
    height: first.latentHeight,
    width: first.latentWidth,
    captions: [
      ...batch.map((one) => one.caption),
      ...guided.map((one) => one.guidance?.negative ?? one.caption),
    ],
    loras: runs.map((one) => one.loras ?? []),
    times: runs.map(timeOf),
  });
  invariant(outputs.length === runs.length, "the transformer answers every sample");
  // Before any sample changes, so that a bad one can be tried again from where it was.
  for (const [at, one] of runs.entries()) {
    checkPrediction(outputs[at] ?? new Float32Array(), one.stepsDone + 1);
  }
  for (const [at, one] of batch.entries()) {
    const [sigma, sigmaNext] = one.sigmas.subarray(one.stepsDone);
    const plain = outputs[at];
    invariant(plain !== undefined, "there are as many outputs as samples");
    invariant(sigma !== undefined && sigmaNext !== undefined, "a step has two noise levels");
    const negative = guided.includes(one) ? outputs[batch.length + guided.indexOf(one)] : undefined;
    const { guidance } = one;
    const isPlain = negative === undefined || guidance === undefined;
    const output = isPlain ? plain : guide(plain, negative, guidance);
    stepLatents(one.latents, { output, sigma, sigmaNext });
    one.stepsDone += 1;
    one.lastOutput = output;
  }
}

function timeOf(sample: Denoising): number {
  return modelTime(sample.sigmas[sample.stepsDone] ?? 0);
}
