/**
 * What one run of the transformer is fed with: samples side by side, captions padded to one
 * length, and everything about time and position that is computed outside the graph.
 */
import type { TransformerConfig } from "../config.ts";
import { captionInputs } from "../graph/caption-graph.ts";
import { sinusoidWidth, transformerInputs } from "../graph/transformer-graph.ts";
import { joinFloats } from "./join-floats.ts";
import {
  captionPositions,
  imagePositions,
  padRows,
  type RotationTable,
  rotatePositions,
} from "./rope.ts";
import type { Feed, Feeds } from "./session.ts";
import { embedTimestep } from "./timestep-embedding.ts";

/** Rows of the text encoder for one prompt. */
export interface Caption {
  /** [length, captionDim], row-major. */
  readonly data: Float32Array;
  readonly length: number;
}

/** Samples of one latent size and one padded caption length, and so one set of positions. */
export interface TransformerRun {
  /** Latent cells. */
  readonly height: number;
  readonly width: number;
  readonly samples: readonly RunSample[];
}

export interface RunSample {
  /** [channel, height, width]. */
  readonly latent: Float32Array;
  readonly caption: RefinedCaption;
  readonly time: number;
}

/** A caption as the refiner leaves it. */
export interface RefinedCaption {
  /** Padded length. */
  readonly rows: number;
  /** [rows, dim]. */
  readonly data: Float32Array;
}

/** Every input of the graph but those of the LoRAs. */
export function transformerFeeds(run: TransformerRun, config: TransformerConfig): Feeds {
  const { samples, height, width } = run;
  const times = samples.map(({ time }) => embedTimestep(time, config.timeScale));
  const captionRows = Math.max(...samples.map(({ caption }) => caption.rows));
  return {
    [transformerInputs.latents]: {
      data: joinFloats(samples.map(({ latent }) => latent)),
      dims: [samples.length, config.inChannels, height, width],
    },
    [transformerInputs.time]: {
      data: joinFloats(times.flatMap((time) => [time, time])),
      dims: [samples.length, 2, sinusoidWidth],
    },
    [transformerInputs.captionRows]: {
      data: joinFloats(samples.map(({ caption }) => caption.data)),
      dims: [samples.length, captionRows, config.dim],
    },
    ...positionFeeds(run, captionRows, config),
  };
}

/** Every input of the captions' graph but those of the LoRAs, for one caption. */
export function captionFeeds({ data, length }: Caption, config: TransformerConfig): Feeds {
  const rows = padRows(length);
  const captions = new Float32Array(rows * config.captionDim);
  captions.set(data);
  const pads = new Uint8Array(rows).fill(1, length);
  const positions = rotatePositions(captionPositions(rows), config);
  return {
    [captionInputs.captions]: { data: captions, dims: [1, rows, config.captionDim] },
    [captionInputs.captionPads]: { data: pads, dims: [1, rows, 1] },
    [captionInputs.captionCos]: repeat(positions, "cos", 1),
    [captionInputs.captionSin]: repeat(positions, "sin", 1),
  };
}

function positionFeeds(run: TransformerRun, captionRows: number, config: TransformerConfig): Feeds {
  const batch = run.samples.length;
  const rows = run.height / config.patchSize;
  const columns = run.width / config.patchSize;
  const image = rotatePositions(imagePositions({ rows, columns, captionRows }), config);
  const caption = rotatePositions(captionPositions(captionRows), config);
  const imagePads = [batch, image.rows - rows * columns, 1];
  return {
    [transformerInputs.imagePadShape]: { data: BigInt64Array.from(imagePads, BigInt), dims: [3] },
    [transformerInputs.imageCos]: repeat(image, "cos", batch),
    [transformerInputs.imageSin]: repeat(image, "sin", batch),
    [transformerInputs.captionCos]: repeat(caption, "cos", batch),
    [transformerInputs.captionSin]: repeat(caption, "sin", batch),
  };
}

function repeat(table: RotationTable, part: "cos" | "sin", batch: number): Feed {
  const data = joinFloats(Array.from({ length: batch }, () => table[part]));
  return { data, dims: [batch, table.rows, table[part].length / table.rows] };
}
