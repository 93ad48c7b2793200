/**
 * How long a step or a decoding may take before something must be wrong. Runs cannot be asked how
 * far they are, and a large model on a slow processor takes minutes for one step: this is many
 * times what was ever measured, because a machine may be old, and busy with other things.
 */
import type { WeightDevice } from "../model/weight-choice.ts";

export interface Patience {
  /** Whatever the picture: a step may have to read networks from the disk first. Milliseconds. */
  readonly baseMs: number;
  /** For each pixel of the pictures under way, twice where one is guided. Milliseconds. */
  readonly pixelMs: number;
}

export interface PatienceAsk {
  readonly device: WeightDevice;
  /** Parameters of the transformer, which take nearly all of the time. */
  readonly parameters: number;
  /** Bytes of all files of weights. */
  readonly fileBytes: number;
  /** Pixels along a side of what the transformer has a row for. */
  readonly rowPixels: number;
}

/** A small part of two cores with AVX-512 (4.5e8), and of the slowest cards. */
const cpuOperationsPerMs = 5e7;
const cardOperationsPerMs = 1e9;
/** A slow disk, or one at the other end of a network. */
const bytesPerMs = 100_000;
/** A product and a sum for each parameter and row, and as much again for attention. */
const operationsPerParameter = 4;

export function patienceOf({ device, parameters, fileBytes, rowPixels }: PatienceAsk): Patience {
  const operationsPerMs = device === "cpu" ? cpuOperationsPerMs : cardOperationsPerMs;
  const perPixel = (operationsPerParameter * parameters) / rowPixels ** 2;
  return { baseMs: Math.ceil(fileBytes / bytesPerMs), pixelMs: perPixel / operationsPerMs };
}
