/** The VAE's decoder as a component: latents in, pictures out. */

import type { VaeConfig } from "../config.ts";
import { buildVaeDecoderGraph, vaeDecoderInput } from "../graph/vae-decoder-graph.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { checkInput, checkLength, checkWhole } from "./check-input.ts";
import { type EngineOptions, openSession, type Session } from "./session.ts";

/** Latent cells per side: 8192 pixels for the released model, the transformer's own bound. */
const sideMax = 1024;

export interface LatentBatch {
  /** [channel, height, width] each, row-major, as the transformer leaves them. */
  readonly latents: readonly Float32Array[];
  /** Latent cells. */
  readonly height: number;
  readonly width: number;
}

export interface VaeDecoder {
  /** Gives [3, factor · height, factor · width] each, about -1..1, before clamping. */
  decode(batch: LatentBatch): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** Throws MODEL_INVALID when the weights do not fit the configuration. */
export async function openVaeDecoder(
  config: VaeConfig,
  index: TensorIndex,
  options: EngineOptions = {},
): Promise<VaeDecoder> {
  const model = buildVaeDecoderGraph(config, index);
  return new OnnxVaeDecoder(config, await openSession(model, index.folder, options));
}

class OnnxVaeDecoder implements VaeDecoder {
  readonly #config: VaeConfig;
  readonly #session: Session;

  constructor(config: VaeConfig, session: Session) {
    this.#config = config;
    this.#session = session;
  }

  async decode({ latents, height, width }: LatentBatch): Promise<Float32Array[]> {
    const dims = [this.#config.latentChannels, height, width];
    checkWhole(height, "height", { min: 1, max: sideMax });
    checkWhole(width, "width", { min: 1, max: sideMax });
    checkInput(latents.length > 0, "latents", "is empty, must hold at least one sample");
    for (const [index, latent] of latents.entries()) {
      checkLength(latent, `latents[${index}]`, dims);
    }
    const images: Float32Array[] = [];
    // One picture a run: full-size activations are the peak of memory, a single one already keeps
    // every core busy, and the convolutions of a batch would be summed in another order.
    for (const latent of latents) {
      const data = this.#unscale(latent);
      images.push(await this.#session.run({ [vaeDecoderInput]: { data, dims: [1, ...dims] } }));
    }
    return images;
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #unscale(latent: Float32Array): Float32Array {
    const { scalingFactor, shiftFactor } = this.#config;
    return latent.map((value) => Math.fround(value / scalingFactor) + shiftFactor);
  }
}
