/** Binds @zfarm/zimage to the engine's view of a model. */

import { FarmError } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import {
  type ActiveRender,
  type Caption,
  encodePng,
  type LoraAdapter,
  type LoraStack,
  openPipeline,
  ranksOf,
} from "@zfarm/zimage";
import { LoraReader } from "./lora-reader.ts";
import type { Model } from "./model.ts";
import type { EngineSettings, RenderTask } from "./protocol.ts";

/** Opens the model directory; the pipeline's ModelError names the file at fault. */
export async function openZImageModel(
  settings: EngineSettings,
): Promise<Model<Caption, ActiveRender>> {
  if (settings.device !== "cpu") {
    throw new FarmError("INTERNAL", `device ${settings.device} is not one this engine can use`);
  }
  const { threads, loraJoinBytes } = settings;
  const pipeline = await openPipeline(settings.modelDir, {
    ...(threads === undefined ? {} : { threads }),
    ...(loraJoinBytes === undefined ? {} : { loraJoinBytes }),
  });
  const loras = new Map<string, LoraAdapter>();
  const reader = new LoraReader(pipeline.info.loraArchitecture, systemClock);
  const { name: model, digest: modelDigest } = pipeline.info;
  return {
    info: pipeline.info,
    check: (task) => pipeline.check(task),
    loadLora: async (digest, path) => {
      const { adapter, bytes } = await reader.read(digest, path);
      loras.set(digest, adapter);
      return bytes;
    },
    dropLora: (digest) => void loras.delete(digest),
    ranksOf: (tasks) => ranksOf(tasks.map((task) => stackOf(task, loras))),
    encodePrompts: (prompts) => pipeline.encodePrompts(prompts),
    start: (task, caption) => pipeline.start(task, caption, { loras: stackOf(task, loras) }),
    step: (batch) => pipeline.step(batch),
    isFinite: (render) => render.latents.every(Number.isFinite),
    decode: async (render) => {
      const [pixels] = await pipeline.decode([render]);
      if (pixels === undefined) throw new FarmError("INTERNAL", "the decoder gave no picture");
      return pixels;
    },
    encodeFile: (picture, task: RenderTask) => {
      const { prompt, seed, steps, width, height, stack: loras } = task;
      return encodePng(picture, { prompt, seed, steps, width, height, model, modelDigest, loras });
    },
    close: () => {
      reader.close();
      return pipeline.close();
    },
  };
}

/** The adapters of a task; INTERNAL where one is not loaded, which the worker sees to. */
function stackOf({ stack = [] }: RenderTask, loras: ReadonlyMap<string, LoraAdapter>): LoraStack {
  return stack.map(({ digest, weight }) => {
    const adapter = loras.get(digest);
    if (adapter === undefined) throw new FarmError("INTERNAL", `adapter ${digest} is not loaded`);
    return { adapter, strength: weight };
  });
}
