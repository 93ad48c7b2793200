/** A picture of a certificate on our side, and the reference's run that it is compared with. */
import type { Caption, Denoising, LoraStack, ModelDirectory } from "@zfarm/zimage";
import { drawNoise, sigmaTable, vaeFactor } from "@zfarm/zimage";
import type { Case } from "./certificate.ts";
import type { TensorFile } from "./tensor-file.ts";

export interface Drawing {
  /** Of the case, or of the stack of adapters. */
  readonly name: string;
  readonly spec: Case;
  readonly loras: LoraStack;
}

export interface LatentSize {
  readonly latentHeight: number;
  readonly latentWidth: number;
}

export function latentSize({ width, height }: Case, model: ModelDirectory): LatentSize {
  const factor = vaeFactor(model.vae.config);
  return { latentHeight: height / factor, latentWidth: width / factor };
}

/** The drawing at step 0, with noise of our own. */
export function startDrawing(
  { spec, loras }: Drawing,
  caption: Caption,
  model: ModelDirectory,
): Denoising & { readonly loras: LoraStack } {
  const size = latentSize(spec, model);
  const count = model.vae.config.latentChannels * size.latentHeight * size.latentWidth;
  return {
    ...size,
    caption,
    loras,
    latents: drawNoise(BigInt(spec.seed), count),
    sigmas: sigmaTable(spec.steps, model.scheduler.shift),
    stepsDone: 0,
  };
}

/** What the reference recorded while it drew the same picture. */
export class Recording {
  readonly drawing: Drawing;
  /** How the reference drew it: "pipeline", or with adapters "loader" or "merged". */
  readonly way: string;
  readonly #file: TensorFile;
  readonly #prefix: string;

  constructor(drawing: Drawing, way: string, source: { file: TensorFile; prefix: string }) {
    this.drawing = drawing;
    this.way = way;
    this.#file = source.file;
    this.#prefix = source.prefix;
  }

  /** As the lines of a certificate name it. */
  get subject(): string {
    return this.way === "pipeline" ? this.drawing.name : `${this.drawing.name} (${this.way})`;
  }

  /** Latents that the reference fed step `step` of 0, 1, … with. */
  async before(step: number): Promise<Float32Array> {
    return await this.#get(step === 0 ? "noise" : `after-${step - 1}`);
  }

  async after(step: number): Promise<Float32Array> {
    return await this.#get(`after-${step}`);
  }

  /** The transformer's raw prediction of a step. */
  async output(step: number): Promise<Float32Array> {
    return await this.#get(`output-${step}`);
  }

  /** The picture before clamping, [3, height, width]. */
  async decoded(): Promise<Float32Array> {
    return await this.#get("decoded");
  }

  /** Bytes as numbers, [height, width, 3]. */
  async pixels(): Promise<Float32Array> {
    return await this.#get("pixels");
  }

  async #get(name: string): Promise<Float32Array> {
    return await this.#file.get(`${this.#prefix}.${name}`);
  }
}
