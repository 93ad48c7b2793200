/** One way of computing: what is opened, with which options, and how close it must come. */
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { EngineOptions, ModelDirectory, WeightMode } from "@zfarm/zimage";
import { openModelDirectory, prepareModel, weightModes } from "@zfarm/zimage";
import { bounds, type ModeBounds } from "./bounds.ts";

export interface Setting {
  readonly model: ModelDirectory;
  readonly mode: WeightMode;
  readonly bounds: ModeBounds;
  readonly options: EngineOptions & { readonly conversion?: "run" };
}

export const modes: readonly WeightMode[] = weightModes;

/**
 * The model in a mode. Float32 runs the directory as it is; the others run what `zfarm model
 * prepare` would make of it, written into `folder`, and bfloat16 as machines with little memory do:
 * a layer is widened in each run and let go.
 */
export async function openSetting(
  model: ModelDirectory,
  mode: WeightMode,
  folder: string,
): Promise<Setting> {
  if (mode === "fp32") return { model, mode, bounds: bounds[mode], options: {} };
  const { path } = await prepareModel(model.path, { mode, out: join(folder, mode) });
  return {
    model: await openModelDirectory(path),
    mode,
    bounds: bounds[mode],
    options: mode === "bf16" ? { conversion: "run" } : {},
  };
}

/** Makes room on disk: a prepared copy of the released model has up to 21 GB. */
export async function discardSetting({ model }: Setting, source: ModelDirectory): Promise<void> {
  if (model.path !== source.path) await rm(model.path, { recursive: true });
}

/** Puts what a model needs beside its transformer into the transformer's folder. */
export async function completeModel(folder: string, others: string): Promise<ModelDirectory> {
  const entries = ["model_index.json", "scheduler", "text_encoder", "tokenizer", "vae"];
  for (const entry of entries) {
    await cp(join(others, entry), join(folder, entry), { recursive: true });
  }
  return await openModelDirectory(folder);
}
