/** A picture of a certificate on our side, and the reference's run that it is compared with. */
import type { Caption, Denoising, LoraStack, ModelDirectory } from "@zfarm/zimage";
import { drawNoise, sigmaTable, vaeFactor } from "@zfarm/zimage";
import { negativeName } from "./cases.ts";
import type { Case, Line } from "./certificate.ts";
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

/** The drawing at step 0, with noise of our own. @param captions by text, see `textsOf`. */
export function startDrawing(
  { spec, loras }: Drawing,
  captions: ReadonlyMap<string, Caption>,
  model: ModelDirectory,
): Denoising {
  const size = latentSize(spec, model);
  const negative = spec.guidance && captionOf(captions, negativeName(spec.name));
  const count = model.vae.config.latentChannels * size.latentHeight * size.latentWidth;
  return {
    ...size,
    caption: captionOf(captions, spec.name),
    guidance: spec.guidance && negative && { ...spec.guidance, negative },
    loras,
    latents: drawNoise(BigInt(spec.seed), count),
    sigmas: sigmaTable(spec.steps, model.scheduler.shift),
    stepsDone: 0,
  };
}

export function captionOf(captions: ReadonlyMap<string, Caption>, name: string): Caption {
  const caption = captions.get(name);
  if (caption === undefined) throw new Error(`text ${name} has no caption`);
  return caption;
}

/** What the reference recorded while it drew the same picture. */
export class Recording {
  readonly drawing: Drawing;
  /** How the reference drew it where there are adapters. */
  readonly way: Line["way"];
  readonly #file: TensorFile;
  readonly #prefix: string;

  constructor(drawing: Drawing, way: Line["way"], source: { file: TensorFile; prefix: string }) {
    this.drawing = drawing;
    this.way = way;
    this.#file = source.file;
    this.#prefix = source.prefix;
  }

  /** What lines about it say of it. */
  get about(): Pick<Line, "subject" | "way"> {
    const subject = this.drawing.name;
    return this.way === undefined ? { subject } : { subject, way: this.way };
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
