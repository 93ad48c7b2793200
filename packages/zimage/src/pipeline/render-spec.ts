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
  /** Absent: none, which is what distilled models want. */
  readonly guidance?: GuidanceSpec | undefined;
}

/** Classifier-free guidance, as `sampler/guidance.ts` does it; each step runs the model twice. */
export interface GuidanceSpec {
  /** 0 to 20; 0 is off. One less than the "cfg scale" of other programs. */
  readonly scale: number;
  /** What the picture should not show; may be empty. */
  readonly negativePrompt: string;
  /** 0 to 10, norms of the plain prediction; 0 is no bound. */
  readonly normalization: number;
  /** 0 to 1: steps at later model times run unguided. 1 when absent: none does. */
  readonly truncation?: number | undefined;
}

/** A guidance that is on, with nothing left open. */
export interface ActiveGuidance extends GuidanceSpec {
  readonly truncation: number;
}

/** The guidance that is in effect, with its defaults; undefined where it is off. */
export function activeGuidance({
  guidance,
}: Pick<RenderSpec, "guidance">): ActiveGuidance | undefined {
  if (guidance === undefined || guidance.scale === 0) return undefined;
  const { scale, negativePrompt, normalization, truncation = 1 } = guidance;
  return { scale, negativePrompt, normalization, truncation };
}

/** The prompts that a picture reads: its own, and the negative one where it is guided. */
export function promptsOf(spec: RenderSpec): string[] {
  const guidance = activeGuidance(spec);
  return guidance === undefined ? [spec.prompt] : [spec.prompt, guidance.negativePrompt];
}

/** Where a negative prompt stands, for errors. */
export const negativeField = "guidance.negativePrompt";
const guidanceMax = { scale: 20, normalization: 10, truncation: 1 } as const;
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
  if (spec.guidance !== undefined) checkGuidance(spec.guidance);
}

function checkGuidance(guidance: GuidanceSpec): void {
  for (const field of ["scale", "normalization", "truncation"] as const) {
    const value = guidance[field] ?? 0;
    const max = guidanceMax[field];
    if (value >= 0 && value <= max) continue;
    refuse(`guidance.${field}`, `guidance.${field} is ${value}; a number from 0 to ${max}`);
  }
  checkPrompt(guidance.negativePrompt, negativeField);
}

/** Refuses text that no tokenizer reads faithfully; the tokens are counted elsewhere. */
export function checkPrompt(prompt: string, field: string = "prompt"): void {
  if (prompt.length > promptCharsMax) {
    refuse(field, `${field} has ${prompt.length} characters; at most ${promptCharsMax}`);
  }
  if (!prompt.isWellFormed()) refuse(field, `${field} has half of a character pair`);
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
