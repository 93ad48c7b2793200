/** Binds @zfarm/zimage to the engine's view of a model. */

import { FarmError, limits } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import {
  type ActiveRender,
  activeGuidance,
  type Caption,
  encodeJpeg,
  encodePng,
  fitOneRun,
  type LoraAdapter,
  type LoraStack,
  openPipeline,
  type Pipeline,
  promptsOf,
} from "@zfarm/zimage";
import { LoraReader } from "./lora-reader.ts";
import type { Model } from "./model.ts";
import type { EngineSettings, RenderTask } from "./protocol.ts";
import { StopWatch } from "./stop-watch.ts";

/** Opens the model directory; the pipeline's ModelError names the file at fault. */
export async function openZImageModel(
  settings: EngineSettings,
): Promise<Model<TaskCaptions, ActiveRender>> {
  const { threads, sideThreads, loraJoinBytes, weights, memoryBytes, reservedBytes } = settings;
  const { memoryLessons = 0 } = settings;
  const watch = new StopWatch(systemClock);
  let weightsMs = 0;
  const pipeline = await openPipeline(settings.modelDir, {
    device: settings.device,
    memoryLessons,
    onChecked: () => (weightsMs = watch.lap()),
    ...(threads === undefined ? {} : { threads }),
    ...(sideThreads === undefined ? {} : { sideThreads }),
    ...(weights === undefined ? {} : { weights }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(reservedBytes === undefined ? {} : { reservedBytes }),
    ...(loraJoinBytes === undefined ? {} : { loraJoinBytes }),
  });
  const sessionMs = watch.lap();
  await warmUp(pipeline);
  const opening = { weightsMs, sessionMs, warmUpMs: watch.lap() };
  const loras = new Map<string, LoraAdapter>();
  const reader = new LoraReader(pipeline.info.loraArchitecture, systemClock);
  const { name: model, digest: modelDigest } = pipeline.info;
  return {
    info: { ...pipeline.info, weights: pipeline.weights, patience: pipeline.patience },
    opening,
    worksBeside: pipeline.worksBeside,
    check: (task) => pipeline.check(task),
    loadLora: async (digest, path) => {
      const { adapter, bytes } = await reader.read(digest, path);
      loras.set(digest, adapter);
      return bytes;
    },
    dropLora: (digest) => void loras.delete(digest),
    fitOneRun: (tasks) => fitOneRun(tasks.map((task) => stackOf(task, loras))),
    groupOf: (task) => pipeline.runGroup(task),
    encodePrompts: (tasks) => encodePrompts(pipeline, tasks),
    start: (task, { prompt, negative }) =>
      pipeline.start(task, prompt, { negative, loras: stackOf(task, loras), left: task.resume }),
    latentsOf: (render) => render.latents,
    stepsDone: (render) => render.stepsDone,
    step: (batch) => pipeline.step(batch),
    preview: async (render) => encodeJpeg(await pipeline.preview(render), limits.previewSidePixels),
    isFinite: (render) => render.latents.every(Number.isFinite),
    decode: async (render) => {
      const [pixels] = await pipeline.decode([render]);
      if (pixels === undefined) throw new FarmError("INTERNAL", "the decoder gave no picture");
      return pixels;
    },
    encodeFile: (picture, task: RenderTask) => {
      const { prompt, seed, steps, width, height, stack: loras } = task;
      const what = { prompt, seed, steps, width, height, model, modelDigest, loras };
      return encodePng(picture, { ...what, guidance: activeGuidance(task) });
    },
    close: () => {
      reader.close();
      return pipeline.close();
    },
  };
}

/**
 * The smallest picture, in one step and for nobody: whatever a first run reads, makes and asks
 * memory for is there before the worker says that it is ready.
 */
async function warmUp(pipeline: Pipeline): Promise<void> {
  if (!pipeline.holdsAll) return;
  const { sizeMultiple: side } = pipeline.info;
  const spec = { prompt: "warm-up", width: side, height: side, steps: 1, seed: 0n };
  // What fails here fails for the first picture too, and there it is somebody's to tell.
  await pipeline.render(spec).catch(() => undefined);
}

/** The adapters of a task; INTERNAL where one is not loaded, which the worker sees to. */
function stackOf({ stack = [] }: RenderTask, loras: ReadonlyMap<string, LoraAdapter>): LoraStack {
  return stack.map(({ digest, weight }) => {
    const adapter = loras.get(digest);
    if (adapter === undefined) throw new FarmError("INTERNAL", `adapter ${digest} is not loaded`);
    return { adapter, strength: weight };
  });
}

/** What a task's prompts became. */
export interface TaskCaptions {
  readonly prompt: Caption;
  /** Only where the task is guided. */
  readonly negative: Caption | undefined;
}

/** All prompts of all tasks in one call, each text once. */
async function encodePrompts(
  pipeline: Pick<Pipeline, "encodePrompts">,
  tasks: readonly RenderTask[],
): Promise<TaskCaptions[]> {
  const prompts = [...new Set(tasks.flatMap(promptsOf))];
  const captions = new Map(
    (await pipeline.encodePrompts(prompts)).map((caption) => [caption.prompt, caption]),
  );
  return tasks.map((task) => {
    const [prompt, negative] = promptsOf(task).map((text) => captions.get(text));
    if (prompt === undefined) throw new FarmError("INTERNAL", "the model left out a caption");
    return { prompt, negative };
  });
}
