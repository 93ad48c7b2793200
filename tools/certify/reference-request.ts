/** What the reference is asked for: the file that reference.py reads. */
import type { Case } from "./certificate.ts";

export interface LoraUseRequest {
  readonly path: string;
  readonly weight: number;
}

/** A picture of a case with adapters. */
export interface StackRequest {
  readonly name: string;
  /** Name of the case. */
  readonly case: string;
  readonly uses: readonly LoraUseRequest[];
}

/** A sample for a transformer without a picture around it. */
export interface BlockSample {
  /** Latent cells. */
  readonly height: number;
  readonly width: number;
  /** Rows of the caption. */
  readonly rows: number;
  /** 0 (noise) to 1 (clean). */
  readonly time: number;
}

export interface BlockRequest {
  /** Of a whole model. */
  readonly folder: string;
  /** Where config.json and weights of the transformer are written. */
  readonly transformer: string;
  /** Arguments of diffusers' ZImageTransformer2DModel. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly samples: readonly BlockSample[];
}

export interface ReferenceRequest {
  readonly model: string;
  /** Folder for the results. */
  readonly out: string;
  readonly cases: readonly Case[];
  readonly stacks: readonly StackRequest[];
  /** Seeds and how many numbers to draw. */
  readonly noise: readonly (readonly [seed: number, count: number])[];
  readonly block: BlockRequest;
}
