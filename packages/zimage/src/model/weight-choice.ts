/**
 * The one table that decides how a model's weights are held, by device and memory. Pure: `zfarm
 * doctor`, `zfarm model check` and the engine all ask here, so they cannot disagree.
 */

import type { StoredWeights } from "./open-model-directory.ts";
import { releasedParameterCount } from "./released-configs.ts";

/** How weights are held while a model runs. */
export const weightModes = ["fp32", "bf16", "int8", "int4"] as const;
export type WeightMode = (typeof weightModes)[number];

export const weightDevices = ["cpu", "cuda", "webgpu"] as const;
export type WeightDevice = (typeof weightDevices)[number];

export interface ParameterCounts {
  readonly transformer: number;
  /** Without the last layer, which is never run. */
  readonly textEncoder: number;
  /** The decoder. */
  readonly vae: number;
}

/** Of the released models. */
export const releasedParameters: ParameterCounts = {
  transformer: releasedParameterCount,
  textEncoder: 3_921_534_720,
  vae: 49_545_475,
};

export interface WeightSituation {
  readonly device: WeightDevice;
  /** What the model may take of the device's memory, in bytes. */
  readonly memoryBytes: number;
  readonly parameters: ParameterCounts;
  /** What the directory runs as without being prepared first; see `modesOf`. */
  readonly stored: readonly WeightMode[];
}

/** One line of the table. */
export interface WeightRow {
  readonly mode: WeightMode;
  /** With all three networks in memory, and a picture in work. */
  readonly togetherBytes: number;
  /** With the text encoder released before the transformer comes. */
  readonly inTurnBytes: number;
  readonly fits: "together" | "in turn" | "no";
  /** Whether the directory runs as this, or has to be prepared first. */
  readonly isStored: boolean;
}

export interface WeightChoice {
  /** Every mode of the device, the preferred first. */
  readonly rows: readonly WeightRow[];
  /** How the directory runs as it is; undefined when nothing that is stored fits. */
  readonly chosen: WeightRow | undefined;
  /** A mode that is preferred to the chosen one and fits, once the directory is prepared for it. */
  readonly better: WeightRow | undefined;
}

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

/** Bytes of one parameter in memory: 128 levels share a scale of 4 bytes. */
const parameterBytes: Readonly<Record<WeightMode, number>> = {
  fp32: 4,
  bf16: 2,
  int8: 1 + 4 / 128,
  int4: 0.5 + 4 / 128,
};

/** The runtime, and one picture of 512x512 with its decoder in tiles. */
const workingBytes = gibibyte;

/**
 * On CPU bfloat16 stays in the file, which the system caches as it can; only one block at a time is
 * widened to float32.
 */
const exactBytes = 2 * gibibyte;

/**
 * The preferred first. On CPU float32 is exact and needs no preparation; int8 is nearly exact and
 * faster; int4 differs visibly; bf16 is exact and slow, for where nothing else fits. A graphics
 * card computes in bf16 with CUDA; WebGPU knows no bf16.
 */
const preference: Readonly<Record<WeightDevice, readonly WeightMode[]>> = {
  cpu: ["fp32", "int8", "int4", "bf16"],
  cuda: ["bf16", "fp32", "int8", "int4"],
  webgpu: ["fp32", "int8", "int4"],
};

/** What weights of this element type run as: the narrower ones can be widened, not the reverse. */
export function modesOf(stored: StoredWeights): readonly WeightMode[] {
  if (stored === "F32") return ["fp32"];
  if (stored === "int8" || stored === "int4") return [stored];
  return stored === "BF16" ? ["fp32", "bf16"] : ["fp32"];
}

export function chooseWeights(situation: WeightSituation): WeightChoice {
  const rows = preference[situation.device].map((mode) => weigh(mode, situation));
  const fitting = rows
    .filter(({ fits }) => fits !== "no")
    .toSorted((one, other) => Number(reopensAll(one)) - Number(reopensAll(other)));
  const chosen = fitting.find(({ isStored }) => isStored);
  const [first] = fitting;
  return { rows, chosen, better: first === chosen ? undefined : first };
}

/** In turn, each new prompt would read all of it again: anything else is faster. */
function reopensAll({ mode, fits }: WeightRow): boolean {
  return mode === "fp32" && fits === "in turn";
}

function weigh(mode: WeightMode, situation: WeightSituation): WeightRow {
  const { togetherBytes, inTurnBytes } = needOf(mode, situation);
  const fitsApart = inTurnBytes <= situation.memoryBytes ? "in turn" : "no";
  return {
    mode,
    togetherBytes,
    inTurnBytes,
    fits: togetherBytes <= situation.memoryBytes ? "together" : fitsApart,
    isStored: situation.stored.includes(mode),
  };
}

/** The decoder stays float32 in every mode: it is small, and narrower formats show in pictures. */
function needOf(
  mode: WeightMode,
  { device, parameters }: WeightSituation,
): Pick<WeightRow, "togetherBytes" | "inTurnBytes"> {
  const decoder = parameters.vae * parameterBytes.fp32;
  const size = parameterBytes[mode];
  const [transformer, textEncoder] = [parameters.transformer * size, parameters.textEncoder * size];
  const together = Math.ceil(transformer + textEncoder + decoder + workingBytes);
  const apart = Math.ceil(Math.max(transformer, textEncoder) + decoder + workingBytes);
  if (device === "cuda" || mode !== "bf16") {
    return { togetherBytes: together, inTurnBytes: apart };
  }
  return {
    togetherBytes: Math.min(together, exactBytes),
    inTurnBytes: Math.min(apart, exactBytes),
  };
}
