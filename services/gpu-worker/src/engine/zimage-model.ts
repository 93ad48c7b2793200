/** Binds @zfarm/zimage to the engine's view of a model. */

import { FarmError } from "@zfarm/contract";
import { type ActiveRender, type Caption, encodePng, openPipeline } from "@zfarm/zimage";
import type { Model } from "./model.ts";
import type { EngineSettings, RenderTask } from "./protocol.ts";

/** Opens the model directory; the pipeline's ModelError names the file at fault. */
export async function openZImageModel(
  settings: EngineSettings,
): Promise<Model<Caption, ActiveRender>> {
  if (settings.device !== "cpu") {
    throw new FarmError("INTERNAL", `device ${settings.device} is not one this engine can use`);
  }
  const { threads } = settings;
  const pipeline = await openPipeline(settings.modelDir, threads === undefined ? {} : { threads });
  const { name: model, digest: modelDigest } = pipeline.info;
  return {
    info: pipeline.info,
    check: (task) => pipeline.check(task),
    encodePrompts: (prompts) => pipeline.encodePrompts(prompts),
    start: (task, caption) => pipeline.start(task, caption),
    step: (batch) => pipeline.step(batch),
    isFinite: (render) => render.latents.every(Number.isFinite),
    decode: async (render) => {
      const [pixels] = await pipeline.decode([render]);
      if (pixels === undefined) throw new FarmError("INTERNAL", "the decoder gave no picture");
      return pixels;
    },
    encodeFile: (picture, task: RenderTask) => {
      const { prompt, seed, steps, width, height } = task;
      return encodePng(picture, { prompt, seed, steps, width, height, model, modelDigest });
    },
    close: () => pipeline.close(),
  };
}
