/**
 * The shape of the three networks: what of the Hugging Face configuration matters to the maths.
 * `model/config-files.ts` reads these from a model directory.
 */

/** ZImageTransformer2DModel. The released Turbo model has dim 3840, 30 layers and 30 heads. */
export interface TransformerConfig {
  /** Channels of the latent, in and out. */
  readonly inChannels: number;
  readonly dim: number;
  readonly layers: number;
  /** Blocks of the noise refiner, and as many of the context refiner. */
  readonly refinerLayers: number;
  readonly heads: number;
  readonly normEps: number;
  /** Width of a caption row, which is the text encoder's hidden size. */
  readonly captionDim: number;
  readonly ropeTheta: number;
  /** Factor on the model's time of 0..1 before the sinusoids. */
  readonly timeScale: number;
  /** Rotary dimensions of one head per axis (caption position, row, column). */
  readonly axesDims: readonly [number, number, number];
  /** Positions per axis; they bound the caption's length and the picture's sides. */
  readonly axesLens: readonly [number, number, number];
  /** Latent cells of one patch's side. */
  readonly patchSize: number;
}

/** Qwen3 as a text encoder; its last layer and final norm are not used. */
export interface TextEncoderConfig {
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabulary: number;
  readonly normEps: number;
  readonly ropeTheta: number;
}

/** AutoencoderKL without quantisation convolutions. */
export interface VaeConfig {
  /** Channels per level, from the picture inwards; each level after the first halves the sides. */
  readonly blockChannels: readonly number[];
  readonly layersPerBlock: number;
  readonly latentChannels: number;
  readonly normGroups: number;
  readonly scalingFactor: number;
  readonly shiftFactor: number;
}

/** Pixels per latent cell along one side. */
export function vaeFactor(config: VaeConfig): number {
  return 2 ** (config.blockChannels.length - 1);
}
