/** One way of computing: what is opened, with which options, and how close it must come. */
import type { EngineOptions, ModelDirectory } from "@zfarm/zimage";
import { bounds, type ModeBounds } from "./bounds.ts";

export type Mode = keyof typeof bounds;

export interface Setting {
  readonly model: ModelDirectory;
  readonly mode: Mode;
  readonly bounds: ModeBounds;
  readonly options: EngineOptions;
}

/** Every way that a certificate can be about; the first ones are what the engine offers today. */
export const modes: readonly string[] = ["fp32", "bf16", "int8", "int4"];

export function isOffered(mode: string): mode is Mode {
  return mode in bounds;
}

export function settingOf(model: ModelDirectory, mode: Mode): Setting {
  return { model, mode, bounds: bounds[mode], options: {} };
}
