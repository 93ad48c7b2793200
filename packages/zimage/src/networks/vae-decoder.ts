/** The VAE's decoder as a component: latents in, pictures out. */

import { type VaeConfig, vaeFactor } from "../config.ts";
import { buildVaeDecoderGraph, vaeDecoderInput } from "../graph/vae-decoder-graph.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { checkInput, checkLength, checkWhole } from "./check-input.ts";
import { type EngineOptions, openSession, type Session } from "./session.ts";
import { cutTile, planTiles, type Tile, TileBlender } from "./vae-tiles.ts";

/** Latent cells per side: 8192 pixels for the released model, the transformer's own bound. */
const sideMax = 1024;

export interface LatentBatch {
  /** [channel, height, width] each, row-major, as the transformer leaves them. */
  readonly latents: readonly Float32Array[];
  /** Latent cells. */
  readonly height: number;
  readonly width: number;
  /**
   * Side of the largest part that is decoded at once, in cells; the whole picture when absent.
   * Tiles bound the memory. They are close to the whole picture and not equal to it, because every
   * norm sees only its tile.
   */
  readonly tileSide?: number | undefined;
}

/** Narrower tiles would be all overlap, and their norms would know nothing of the picture. */
export const tileSideMin = 8;

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
  const model = buildVaeDecoderGraph(config, index, options.target);
  return new OnnxVaeDecoder(config, await openSession(model, index.folder, options));
}

class OnnxVaeDecoder implements VaeDecoder {
  readonly #config: VaeConfig;
  readonly #session: Session;

  constructor(config: VaeConfig, session: Session) {
    this.#config = config;
    this.#session = session;
  }

  async decode({ latents, height, width, tileSide }: LatentBatch): Promise<Float32Array[]> {
    const dims = [this.#config.latentChannels, height, width];
    checkWhole(height, "height", { min: 1, max: sideMax });
    checkWhole(width, "width", { min: 1, max: sideMax });
    if (tileSide !== undefined) {
      checkWhole(tileSide, "tileSide", { min: tileSideMin, max: sideMax });
    }
    checkInput(latents.length > 0, "latents", "is empty, must hold at least one sample");
    for (const [index, latent] of latents.entries()) {
      checkLength(latent, `latents[${index}]`, dims);
    }
    const images: Float32Array[] = [];
    // One picture a run: full-size activations are the peak of memory, a single one already keeps
    // every core busy, and the convolutions of a batch would be summed in another order.
    for (const latent of latents) {
      const size = { height, width, tileSide: tileSide ?? Math.max(height, width) };
      images.push(await this.#decodeOne(this.#unscale(latent), size));
    }
    return images;
  }

  async #decodeOne(
    latent: Float32Array,
    size: { readonly height: number; readonly width: number; readonly tileSide: number },
  ): Promise<Float32Array> {
    const tiles = planTiles(size, size.tileSide);
    if (tiles.length === 1) return await this.#run(latent, size);
    const factor = vaeFactor(this.#config);
    const blender = new TileBlender(
      { height: size.height * factor, width: size.width * factor },
      3,
    );
    for (const tile of tiles) {
      blender.add(await this.#run(cutTile(latent, size, tile), tile), inPixels(tile, factor));
    }
    return blender.finish();
  }

  #run(
    data: Float32Array,
    { height, width }: { readonly height: number; readonly width: number },
  ): Promise<Float32Array> {
    const dims = [1, this.#config.latentChannels, height, width];
    return this.#session.run({ [vaeDecoderInput]: { data, dims } });
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #unscale(latent: Float32Array): Float32Array {
    const { scalingFactor, shiftFactor } = this.#config;
    return latent.map((value) => Math.fround(value / scalingFactor) + shiftFactor);
  }
}

function inPixels(tile: Tile, factor: number): Tile {
  return {
    top: tile.top * factor,
    left: tile.left * factor,
    height: tile.height * factor,
    width: tile.width * factor,
  };
}
