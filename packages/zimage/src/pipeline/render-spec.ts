/** What a picture is made from, and whether a model can make it. */
import { ModelError } from "../errors.ts";
import type { ModelInfo } from "./model-info.ts";

export interface RenderSpec {
  readonly prompt: string;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Runs of the model. */
  readonly steps: number;
  /** 0 to 2^64 - 1; as in torch, the low 32 bits decide the noise. */
  readonly seed: bigint;
}

const seedMax = 2n ** 64n - 1n;
/** Above this a prompt cannot fit any token bound, and counting its tokens would take long. */
const promptCharsMax = 32_768;

/** Throws INPUT_INVALID with field, value and bound for the first thing the model cannot do. */
export function checkSpec(spec: RenderSpec, info: ModelInfo): void {
  checkSide("width", spec.width, info);
  checkSide("height", spec.height, info);
  const pixels = spec.width * spec.height;
  if (pixels > info.pixelsMax) {
    refuse("width", `width times height is ${pixels}; at most ${info.pixelsMax} pixels`);
  }
  if (!Number.isInteger(spec.steps) || spec.steps < 1 || spec.steps > info.stepsMax) {
    refuse("steps", `steps is ${spec.steps}; an integer from 1 to ${info.stepsMax}`);
  }
  if (typeof spec.seed !== "bigint" || spec.seed < 0n || spec.seed > seedMax) {
    refuse("seed", `seed is ${spec.seed}; an integer from 0 to ${seedMax}`);
  }
  checkPrompt(spec.prompt);
}

/** Refuses text that no tokenizer reads faithfully; the tokens are counted elsewhere. */
export function checkPrompt(prompt: string): void {
  if (prompt.length > promptCharsMax) {
    refuse("prompt", `prompt has ${prompt.length} characters; at most ${promptCharsMax}`);
  }
  if (!prompt.isWellFormed()) refuse("prompt", "prompt has half of a character pair");
}

function checkSide(field: "width" | "height", value: number, info: ModelInfo): void {
  const { sizeMultiple, sideMax } = info;
  if (Number.isInteger(value) && value >= sizeMultiple && value <= sideMax) {
    if (value % sizeMultiple === 0) return;
  }
  refuse(field, `${field} is ${value}; a multiple of ${sizeMultiple} up to ${sideMax}`);
}

function refuse(field: string, message: string): never {
  throw new ModelError("INPUT_INVALID", message, { field });
}
