/** What a model can draw: its bounds and defaults, derived from the configuration alone. */
import { vaeFactor } from "../config.ts";
import { ModelError } from "../errors.ts";
import { type LoraArchitecture, loraArchitectureOf } from "../lora/architecture.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import type { FamilyMember } from "../model/released-configs.ts";
import { memberOfShift } from "../model/released-configs.ts";
import { stepsMax } from "../sampler/sigmas.ts";

export interface ModelInfo {
  /** For people: `owner/name` or the directory's name. */
  readonly name: string;
  /** SHA-256 in hex: equal digests draw equal pictures. */
  readonly digest: string;
  /** Width and height are multiples of this many pixels, and at least one of it. */
  readonly sizeMultiple: number;
  /** Largest width times height. */
  readonly pixelsMax: number;
  /** Largest width and height, from the positions the transformer knows. */
  readonly sideMax: number;
  readonly stepsMax: number;
  /** Tokens of a prompt with the chat template. */
  readonly tokensMax: number;
  readonly stepsDefault: number;
  /**
   * Scale of the guidance that the model wants; undefined for a distilled one, which draws worse
   * with any.
   */
  readonly guidanceDefault: number | undefined;
  readonly widthDefault: number;
  readonly heightDefault: number;
  /** What adapters are checked against. */
  readonly loraArchitecture: LoraArchitecture;
}

/** No configuration file says what the members of the family are sampled with; their pages do. */
const samplingOf: Readonly<Record<FamilyMember, Pick<ModelInfo, Sampling>>> = {
  // Distilled to 8 steps without guidance.
  turbo: { stepsDefault: 8, guidanceDefault: undefined },
  base: { stepsDefault: 50, guidanceDefault: 4 },
};
type Sampling = "stepsDefault" | "guidanceDefault";
/** The released model's side, for an autoencoder that does not tell the one it was made for. */
const sideDefault = 1024;
/** Longest prompt the released model was trained with; its configuration does not carry it. */
const tokensTrained = 512;
/** Captions are padded to multiples of this many rows. */
const captionMultiple = 32;

/**
 * Bounds and defaults of a model. The default size is the autoencoder's `sample_size` (1024 for the
 * released model), and pictures may have four times its area: twice the side is where the released
 * model still draws well and where the reference stops.
 */
export function describeModel(model: ModelDirectory): ModelInfo {
  const { transformer, vae } = model;
  const [captionPositions, rows, columns] = transformer.config.axesLens;
  const sizeMultiple = vaeFactor(vae.config) * transformer.config.patchSize;
  // A picture's tokens sit one position behind its padded caption, which must still exist.
  const captionRows = captionPositions - 2;
  const tokensMax = Math.min(tokensTrained, captionRows - (captionRows % captionMultiple));
  if (tokensMax < captionMultiple) {
    const message = `transformer/config.json: field axes_lens leaves ${tokensMax} caption tokens`;
    throw new ModelError("MODEL_INVALID", message, { field: "axes_lens" });
  }
  const sideMax = Math.min(rows, columns) * sizeMultiple;
  const wanted = Math.min(vae.sampleSize ?? sideDefault, sideMax);
  const side = Math.max(sizeMultiple, wanted - (wanted % sizeMultiple));
  return {
    name: model.name,
    digest: model.digest,
    sizeMultiple,
    pixelsMax: 4 * side * side,
    sideMax,
    stepsMax,
    tokensMax,
    ...samplingOf[memberOfShift(model.scheduler.shift) ?? "turbo"],
    widthDefault: side,
    heightDefault: side,
    loraArchitecture: loraArchitectureOf(transformer.config),
  };
}
