/** What an open model offers: a whole picture at once, or the steps an engine mixes by itself. */

import type { Pixels } from "../image/pixels.ts";
import type { WeightMode } from "../model/weight-choice.ts";
import type { LoraStack } from "../networks/lora-batch.ts";
import type { Denoising } from "../sampler/denoise.ts";
import type { Caption } from "./caption-cache.ts";
import type { ModelInfo } from "./model-info.ts";
import type { Patience } from "./patience.ts";
import type { RenderSpec } from "./render-spec.ts";

/** A picture between its noise and its pixels; `step` changes it in place. */
export interface ActiveRender extends Denoising {
  readonly spec: RenderSpec;
  readonly caption: Caption;
}

/** A picture between two steps, as `latents` and `stepsDone` of an `ActiveRender` were. */
export interface LeftRender {
  /** float32, [channels, latentHeight, latentWidth]. */
  readonly latents: Float32Array;
  /** Steps done: at least one, and one less than all at most. */
  readonly step: number;
}

export interface StartOptions {
  /** Adapters of the picture, which add up in any order; at most 4, with strengths of -2 to 2. */
  readonly loras?: LoraStack;
  /** The caption of the spec's negative prompt: needed where the spec is guided. */
  readonly negative?: Caption | undefined;
  /** Where another pipeline of the same model left it; absent: its noise is drawn. */
  readonly left?: LeftRender | undefined;
}

/** `loras` goes for every picture of the call. */
export interface RenderOptions extends Pick<StartOptions, "loras"> {
  /** Stops between two steps: the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** After every step, with the steps done and all there are, counted over all pictures. */
  readonly onStep?: (index: number, total: number) => void;
}

export interface PipelineOptions {
  /**
   * `cpu`, or `cuda:N` for the graphics card with that number; the processor by default. `webgpu`
   * is experimental: its pictures differ a little with their batch, and it picks its own adapter.
   */
  readonly device?: string;
  /** How weights are held; by default what memory allows, as `zfarm doctor` explains. */
  readonly weights?: WeightMode;
  /**
   * What the model may take, in bytes; by default seven eighths of the machine or container, but
   * for `reservedBytes`.
   */
  readonly memoryBytes?: number;
  /** What of the machine's memory this process needs for other things, such as adapters; 0. */
  readonly reservedBytes?: number;
  /**
   * Processes before this one that the system ended because memory ran out under this model: the
   * plan takes runs for as much larger as if they had failed here. 0 by default.
   */
  readonly memoryLessons?: number;
  /** Told once the model's files are found and checked; opening its sessions follows. */
  readonly onChecked?: () => void;
  /** Threads of one run; the runtime's own choice by default, which is one per core. */
  readonly threads?: number;
  /**
   * Has prompts encoded and pictures decoded on a thread of its own, whose runs have so many
   * threads, so that `step` can run meanwhile. Absent, or where memory has no room for all of the
   * networks at once: on this one.
   */
  readonly sideThreads?: number;
  /**
   * Bytes that copies of adapters side by side may take; those of the present batch are made in
   * any case. 512 MiB by default.
   */
  readonly loraJoinBytes?: number;
}

/**
 * An open model. `render` does everything; an engine that mixes pictures calls `encodePrompts`,
 * `start`, `step` and `decode` itself. A picture's bits do not depend on its company in a batch.
 */
export interface Pipeline {
  readonly info: ModelInfo;
  /** How weights are held: models of one digest draw other bits where this differs. */
  readonly weights: WeightMode;
  /** Whether all networks are open at once; else each use of one may have to open it first. */
  readonly holdsAll: boolean;
  /** Whether prompts are encoded and pictures decoded while `step` runs. */
  readonly worksBeside: boolean;
  /** When whoever watches from outside may take it for stuck. */
  readonly patience: Patience;
  /**
   * Throws INPUT_INVALID with field, value and bound unless the model can draw this, and
   * MEMORY_EXCEEDED with the numbers when there is no room for it.
   */
  check(spec: RenderSpec): void;
  /** Tokens of a prompt with the chat template around it; `info.tokensMax` are allowed. */
  countTokens(prompt: string): number;
  /**
   * A name for what can share a run: pictures of one latent size and one padded caption length,
   * guided or not. A run of one group costs about the same every time; of two it is two runs.
   */
  runGroup(spec: RenderSpec): string;
  /** Captions in the order of the prompts; INPUT_INVALID for a prompt that is too long. */
  encodePrompts(prompts: readonly string[]): Promise<Caption[]>;
  /**
   * A picture at step 0, its noise drawn, or where it was left. INPUT_INVALID when the model cannot
   * draw it, or it cannot have been left like that.
   */
  start(spec: RenderSpec, caption: Caption, options?: StartOptions): ActiveRender;
  /**
   * One denoise step for every picture, each at its own noise level. All must have one latent size
   * and a step left. When it throws, no picture has changed: OUTPUT_INVALID names the step whose
   * numbers were not finite; MEMORY_EXCEEDED makes the plan ask for more from then on.
   */
  step(batch: readonly ActiveRender[]): Promise<void>;
  /**
   * Pixels of pictures of one latent size whose steps are done. OUTPUT_INVALID for a picture that
   * is not finite or has one colour.
   */
  decode(batch: readonly ActiveRender[]): Promise<Pixels[]>;
  /**
   * A small picture of where a render is heading, one pixel a latent cell; cheap, but for the
   * first call, which decodes a little noise to learn this model's colours.
   */
  preview(render: ActiveRender): Promise<Pixels>;
  /** Draws one picture. */
  render(spec: RenderSpec, options?: RenderOptions): Promise<Pixels>;
  /** Draws pictures of any sizes and steps, up to eight of one size together; in their order. */
  renderBatch(specs: readonly RenderSpec[], options?: RenderOptions): Promise<Pixels[]>;
  /** Frees the sessions; the pipeline must not be used afterwards. */
  close(): Promise<void>;
}
