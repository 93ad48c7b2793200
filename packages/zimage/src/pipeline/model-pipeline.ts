/** The open model's primitives: captions, the start of a picture, one step, the decoding. */

import { vaeFactor } from "../config.ts";
import type { Pixels } from "../image/pixels.ts";
import { toPixels } from "../image/pixels.ts";
import { invariant } from "../invariant.ts";
import type { MemoryKeeper } from "../memory/memory-keeper.ts";
import type { MemoryPlan } from "../memory/memory-plan.ts";
import { rowsOf } from "../memory/network-bytes.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import type { WeightMode } from "../model/weight-choice.ts";
import { checkLength, checkWhole } from "../networks/check-input.ts";
import type { Networks } from "../networks/open-networks.ts";
import { padRows } from "../networks/rope.ts";
import { tileSideMin } from "../networks/vae-decoder.ts";
import { type ColourMap, drawFitLatent, fitColours, noiseSide } from "../preview/colour-map.ts";
import { previewPixels } from "../preview/preview-pixels.ts";
import type { PromptEncoder } from "../prompt/prompt-encoder.ts";
import { checkPicture } from "../sampler/check-output.ts";
import type { GuidanceAway } from "../sampler/denoise.ts";
import { denoiseStep, haveOneSize, isDone } from "../sampler/denoise.ts";
import { drawNoise } from "../sampler/noise.ts";
import { sigmaTable } from "../sampler/sigmas.ts";
import type { Caption } from "./caption-cache.ts";
import { CaptionCache } from "./caption-cache.ts";
import { checkStack } from "./check-stack.ts";
import type { ModelInfo } from "./model-info.ts";
import type { Patience } from "./patience.ts";
import type { ActiveRender, Pipeline, RenderOptions, StartOptions } from "./pipeline.ts";
import type { RenderSpec } from "./render-spec.ts";
import { activeGuidance, checkPrompt, checkSpec, negativeField, promptsOf } from "./render-spec.ts";
import { renderSpecs } from "./render-specs.ts";

/** Bytes of captions kept: about 25 prompts of full length for the released model. */
const captionBytesMax = 128 * 1024 * 1024;

export interface PipelineParts {
  readonly model: ModelDirectory;
  readonly info: ModelInfo;
  readonly weights: WeightMode;
  readonly promptEncoder: PromptEncoder;
  readonly networks: Networks;
  readonly memory: MemoryKeeper;
  /** Rows of all samples that may share one run of the transformer. */
  readonly rowsMax: number;
  readonly worksBeside: boolean;
  readonly patience: Patience;
  readonly holdsAll: boolean;
}

/** See `Pipeline` for what each member promises. */
export class ModelPipeline implements Pipeline {
  readonly info: ModelInfo;
  readonly weights: WeightMode;
  readonly worksBeside: boolean;
  readonly patience: Patience;
  readonly holdsAll: boolean;
  readonly #parts: PipelineParts;
  readonly #captions = new CaptionCache(captionBytesMax);
  #colours: Promise<ColourMap> | undefined;

  constructor(parts: PipelineParts) {
    this.info = parts.info;
    this.weights = parts.weights;
    this.worksBeside = parts.worksBeside;
    this.patience = parts.patience;
    this.holdsAll = parts.holdsAll;
    this.#parts = parts;
  }

  check(spec: RenderSpec): void {
    checkSpec(spec, this.info);
    // Encoding counts the tokens and refuses too many.
    const [prompt = "", negative] = promptsOf(spec);
    const ids = this.#parts.promptEncoder.encode(prompt);
    const away =
      negative === undefined ? ids : this.#parts.promptEncoder.encode(negative, negativeField);
    this.#parts.memory.plan({ ...spec, tokens: Math.max(ids.length, away.length) });
  }

  countTokens(prompt: string): number {
    checkPrompt(prompt);
    return this.#parts.promptEncoder.countTokens(prompt);
  }

  runGroup(spec: RenderSpec): string {
    const factor = vaeFactor(this.#parts.model.vae.config);
    const rows = padRows(this.countTokens(spec.prompt));
    const predictions = activeGuidance(spec) === undefined ? 1 : 2;
    return `${spec.width / factor}x${spec.height / factor}/${rows}*${predictions}`;
  }

  async encodePrompts(prompts: readonly string[]): Promise<Caption[]> {
    for (const prompt of prompts) checkPrompt(prompt);
    // Held apart from the cache: a long list could push its own first prompts out.
    const known = new Map<string, Caption>();
    for (const prompt of prompts) {
      const caption = this.#captions.get(prompt);
      if (caption !== undefined) known.set(prompt, caption);
    }
    const missing = [...new Set(prompts)].filter((prompt) => !known.has(prompt));
    for (const caption of await this.#encodeMissing(missing)) {
      known.set(caption.prompt, caption);
      this.#captions.put(caption);
    }
    return prompts.map((prompt) => {
      const caption = known.get(prompt);
      invariant(caption !== undefined, "every prompt was found or encoded");
      return caption;
    });
  }

  async #encodeMissing(prompts: readonly string[]): Promise<Caption[]> {
    if (prompts.length === 0) return [];
    const { promptEncoder, networks } = this.#parts;
    const ids = prompts.map((prompt) => promptEncoder.encode(prompt));
    const states = await this.#parts.memory.watch(() => networks.textEncoder.encode(ids));
    return prompts.map((prompt, at) => {
      const data = states[at];
      invariant(data !== undefined, "the text encoder answers every prompt");
      return { prompt, data, length: ids[at]?.length ?? 0 };
    });
  }

  start(spec: RenderSpec, caption: Caption, options: StartOptions = {}): ActiveRender {
    const { loras = [], negative, left } = options;
    // An engine may come here without `check`, and a bad size would only fail in the middle.
    checkSpec(spec, this.info);
    checkStack(loras);
    const guidance = guidanceOf(spec, negative);
    const { model } = this.#parts;
    const factor = vaeFactor(model.vae.config);
    const latentWidth = spec.width / factor;
    const latentHeight = spec.height / factor;
    const count = model.vae.config.latentChannels * latentHeight * latentWidth;
    if (left !== undefined) {
      checkWhole(left.step, "left.step", { min: 1, max: spec.steps - 1 });
      checkLength(left.latents, "left.latents", [count]);
    }
    return {
      spec,
      caption,
      loras,
      guidance,
      latentWidth,
      latentHeight,
      latents: left === undefined ? drawNoise(spec.seed, count) : left.latents.slice(),
      sigmas: sigmaTable(spec.steps, model.scheduler.shift),
      stepsDone: left?.step ?? 0,
    };
  }

  async step(batch: readonly ActiveRender[]): Promise<void> {
    if (batch.length === 0) return;
    const { memory, networks } = this.#parts;
    this.#makeRoomFor(batch);
    await memory.watch(() => denoiseStep(networks.transformer, batch));
  }

  async decode(batch: readonly ActiveRender[]): Promise<Pixels[]> {
    const [first] = batch;
    if (first === undefined) return [];
    invariant(haveOneSize(batch), "pictures decoded together have one latent size");
    invariant(batch.every(isDone), "pictures have no step left when they are decoded");
    const { memory, networks, model } = this.#parts;
    const { tilePixels } = this.#makeRoomFor(batch);
    const images = await memory.watch(() =>
      networks.vaeDecoder.decode({
        latents: batch.map((one) => one.latents),
        height: first.latentHeight,
        width: first.latentWidth,
        tileSide: tilePixels && Math.max(tileSideMin, tilePixels / vaeFactor(model.vae.config)),
      }),
    );
    return images.map((image) => checkPicture(toPixels(image, first.spec), image, first.stepsDone));
  }

  /** The plan of pictures of one size that are in one run, each with two predictions at most. */
  #makeRoomFor(batch: readonly ActiveRender[]): MemoryPlan & { readonly fits: true } {
    const { memory, model, networks, rowsMax } = this.#parts;
    const [first] = batch;
    invariant(first !== undefined, "there is a picture to make room for");
    const captions = batch.flatMap(({ caption, guidance }) => [
      caption.length,
      ...(guidance === undefined ? [] : [guidance.negative.length]),
    ]);
    const tokens = Math.max(...captions);
    const rows = captions.length * rowsOf(model, first.spec, tokens);
    const plan = memory.plan({ ...first.spec, tokens, runRows: Math.min(rows, rowsMax) });
    networks.keepOpen(plan.open);
    return plan;
  }

  async preview(render: ActiveRender): Promise<Pixels> {
    this.#colours ??= this.#learnColours();
    try {
      return previewPixels(render, await this.#colours);
    } catch (error) {
      // The next preview tries again: memory, for one, may be there by then.
      this.#colours = undefined;
      throw error;
    }
  }

  async #learnColours(): Promise<ColourMap> {
    const { model, networks } = this.#parts;
    const { config } = model.vae;
    const side = noiseSide;
    const latent = drawFitLatent(config.latentChannels);
    const [image] = await networks.vaeDecoder.decode({
      latents: [latent],
      height: side,
      width: side,
    });
    invariant(image !== undefined, "one latent gives one picture");
    const size = { channels: config.latentChannels, side, factor: vaeFactor(config) };
    return fitColours({ latent, image }, size);
  }

  async render(spec: RenderSpec, options: RenderOptions = {}): Promise<Pixels> {
    const [pixels] = await renderSpecs(this, [spec], options);
    invariant(pixels !== undefined, "one spec gives one picture");
    return pixels;
  }

  async renderBatch(specs: readonly RenderSpec[], options: RenderOptions = {}): Promise<Pixels[]> {
    return await renderSpecs(this, specs, options);
  }

  async close(): Promise<void> {
    await this.#parts.networks.close();
  }
}

/** The spec's guidance together with its caption. */
function guidanceOf(spec: RenderSpec, negative: Caption | undefined): GuidanceAway | undefined {
  const guidance = activeGuidance(spec);
  if (guidance === undefined) return undefined;
  const isRight = negative?.prompt === guidance.negativePrompt;
  invariant(negative !== undefined && isRight, "a guided picture comes with its negative caption");
  const { scale, normalization, truncation } = guidance;
  return { scale, normalization, truncation, negative };
}
