/**
 * The diffusion transformer as a component: one prediction for each sample of a batch. A sample's
 * result has the same bits whatever else is in the batch.
 */

import type { TransformerConfig } from "../config.ts";
import { buildCaptionGraph } from "../graph/caption-graph.ts";
import type { LinearSpec } from "../graph/linear.ts";
import { buildTransformerGraph, type TransformerGraphOptions } from "../graph/transformer-graph.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { checkInput, checkLength, checkWhole } from "./check-input.ts";
import {
  checkAdapter,
  hasProducts,
  LoraFeeder,
  type LoraInputs,
  type LoraStack,
} from "./lora-batch.ts";
import { RefinedCaptions } from "./refined-captions.ts";
import { padRows, rowMultiple } from "./rope.ts";
import { planRuns, type RunBounds } from "./run-plan.ts";
import { type EngineOptions, openSession, type Session } from "./session.ts";
import { type Caption, type RunSample, transformerFeeds } from "./transformer-feeds.ts";

export type { Caption } from "./transformer-feeds.ts";

/** Samples of one latent size; the lists go by sample. */
export interface TransformerBatch {
  /** [channel, height, width] each, row-major. */
  readonly latents: readonly Float32Array[];
  /** Latent cells, whole multiples of the patch size. */
  readonly height: number;
  readonly width: number;
  readonly captions: readonly Caption[];
  /** Model times of 0 (pure noise) to 1 (clean). */
  readonly times: readonly number[];
  /** Adapters of each sample; absent means none for all. */
  readonly loras?: readonly LoraStack[];
}

export interface Transformer {
  /**
   * The raw predictions, [channel, height, width] each; the sampler negates them.
   * Throws INPUT_INVALID for sizes outside the model's bounds, before anything runs.
   */
  predict(batch: TransformerBatch): Promise<Float32Array[]>;
  close(): Promise<void>;
}

export interface LoraOptions {
  /**
   * Bytes that copies of adapters side by side may take, which are made where several touch one
   * module; the copies of the present batch are made in any case.
   */
  readonly loraJoinBytes?: number;
}

/** Two adapters of rank 16 on every Linear of the released model, joined once. */
const loraJoinBytesDefault = 512 * 1024 * 1024;

export interface RunOptions {
  /** Rows of all samples that may share one run, as memory allows; a sample alone may have more. */
  readonly rowsMax?: number;
}

/** Throws MODEL_INVALID when the weights do not fit the configuration. */
export async function openTransformer(
  config: TransformerConfig,
  index: TensorIndex,
  options: EngineOptions & TransformerGraphOptions & LoraOptions & RunOptions = {},
): Promise<Transformer> {
  const graph = buildTransformerGraph(config, index, options);
  const captionGraph = buildCaptionGraph(config, index, options);
  const captionSession = await openSession(captionGraph.model, index.folder, options);
  const captions = new RefinedCaptions(config, captionSession, captionGraph);
  const session = await openSession(graph.model, index.folder, options).catch(async (error) => {
    await captions.close();
    throw error;
  });
  const loras = new LoraFeeder(graph, options.loraJoinBytes ?? loraJoinBytesDefault);
  const inputs = {
    loraTargets: [...captionGraph.loraTargets, ...graph.loraTargets],
    loraSupport: graph.loraSupport,
  };
  const { rowsMax = Number.POSITIVE_INFINITY } = options;
  return new OnnxTransformer({ config, session, captions, inputs, loras, rowsMax });
}

interface Needs {
  readonly config: TransformerConfig;
  readonly session: Session;
  readonly captions: RefinedCaptions;
  readonly inputs: LoraInputs;
  readonly loras: LoraFeeder;
  readonly rowsMax: number;
}

interface Sample extends Omit<RunSample, "caption"> {
  readonly caption: Caption;
  readonly stack: LoraStack;
}

class OnnxTransformer implements Transformer {
  readonly #config: TransformerConfig;
  readonly #session: Session;
  readonly #captions: RefinedCaptions;
  readonly #targets: ReadonlyMap<string, LinearSpec>;
  readonly #takesProducts: boolean;
  readonly #loras: LoraFeeder;
  readonly #rowsMax: number;

  constructor({ config, session, captions, inputs, loras, rowsMax }: Needs) {
    this.#config = config;
    this.#session = session;
    this.#captions = captions;
    this.#targets = new Map(inputs.loraTargets.map((target) => [target.name, target]));
    this.#takesProducts = inputs.loraSupport === "pairs and products";
    this.#loras = loras;
    this.#rowsMax = rowsMax;
  }

  async predict(batch: TransformerBatch): Promise<Float32Array[]> {
    const samples = this.#check(batch);
    const outputs = new Map<number, Float32Array>();
    for (const run of planRuns(samples, this.#bounds(batch))) {
      const members = samples.filter((_, index) => run.includes(index));
      const joined = await this.#run(members, batch);
      const size = joined.length / members.length;
      for (const [position, index] of run.entries()) {
        outputs.set(index, joined.slice(position * size, (position + 1) * size));
      }
    }
    return samples.flatMap((_, index) => outputs.get(index) ?? []);
  }

  async close(): Promise<void> {
    await this.#captions.close();
    await this.#session.close();
  }

  #bounds({ height, width }: TransformerBatch): RunBounds {
    const tokens = (height * width) / this.#config.patchSize ** 2;
    return { imageRows: padRows(tokens), rowsMax: this.#rowsMax };
  }

  async #run(
    members: readonly Sample[],
    { height, width }: TransformerBatch,
  ): Promise<Float32Array> {
    const samples: (RunSample & { readonly stack: LoraStack })[] = [];
    for (const { caption, ...sample } of members) {
      const refined = await this.#captions.refine(caption, sample.stack);
      samples.push({ ...sample, caption: refined });
    }
    return await this.#session.run({
      ...transformerFeeds({ samples, height, width }, this.#config),
      ...this.#loras.feeds(samples.map(({ stack }) => stack)),
    });
  }

  /** Checks everything and regroups it by sample. */
  #check({ latents, height, width, captions, times, loras }: TransformerBatch): Sample[] {
    const { patchSize, axesLens, inChannels } = this.#config;
    checkInput(latents.length > 0, "latents", "is empty, must hold at least one sample");
    checkLength(captions, "captions", [latents.length]);
    checkLength(times, "times", [latents.length]);
    if (loras !== undefined) checkLength(loras, "loras", [latents.length]);
    checkSide(height, "height", { patchSize, tokensMax: axesLens[1] });
    checkSide(width, "width", { patchSize, tokensMax: axesLens[2] });
    for (const adapter of new Set(loras?.flat().map((use) => use.adapter))) {
      checkAdapter(adapter, this.#targets);
    }
    const takesAll = this.#takesProducts || loras?.some(hasProducts) !== true;
    checkInput(takesAll, "loras", "has Kronecker products, for which this graph has no inputs");
    return latents.map((latent, index): Sample => {
      const caption = captions[index];
      const time = times[index];
      const stack = loras?.[index] ?? [];
      checkLength(latent, `latents[${index}]`, [inChannels, height, width]);
      checkInput(caption !== undefined, `captions[${index}]`, "is missing");
      this.#checkCaption(caption, `captions[${index}]`);
      const timely = time !== undefined && time >= 0 && time <= 1;
      checkInput(timely, `times[${index}]`, `is ${time}, must be from 0 to 1`);
      return { latent, caption, time: time ?? 0, stack };
    });
  }

  /** The image stands one position after the padded caption and needs a table row of its own. */
  #checkCaption({ data, length }: Caption, field: string): void {
    const { axesLens, captionDim } = this.#config;
    const rowsMax = Math.floor((axesLens[0] - 2) / rowMultiple) * rowMultiple;
    checkWhole(length, `${field}.length`, { min: 1, max: rowsMax });
    checkLength(data, `${field}.data`, [length, captionDim]);
  }
}

function checkSide(
  side: number,
  field: string,
  { patchSize, tokensMax }: { readonly patchSize: number; readonly tokensMax: number },
): void {
  checkWhole(side, field, { min: patchSize, max: patchSize * tokensMax });
  checkInput(side % patchSize === 0, field, `is ${side}, must be a multiple of ${patchSize}`);
}
