/** The library's door: a model directory in, an open model that draws pictures out. */
import { type ModelDirectory, openModelDirectory } from "../model/open-model-directory.ts";
import { openBesideNetworks } from "../networks/beside-networks.ts";
import { type Networks, openNetworks } from "../networks/open-networks.ts";
import { openPromptEncoder } from "../prompt/prompt-encoder.ts";
import { describeModel } from "./model-info.ts";
import { ModelPipeline } from "./model-pipeline.ts";
import type { Pipeline, PipelineOptions } from "./pipeline.ts";

/**
 * Opens the model in a directory of diffusers' layout and creates its sessions.
 * Throws MODEL_INVALID, naming the file, when the directory is not a model this code can run.
 */
export async function openPipeline(
  modelDirectory: string,
  options: PipelineOptions = {},
): Promise<Pipeline> {
  const model = await openModelDirectory(modelDirectory);
  const info = describeModel(model);
  const promptEncoder = await openPromptEncoder(model.tokenizerFolder, info.tokensMax);
  const networks = await open(modelDirectory, model, options);
  return new ModelPipeline({ model, info, promptEncoder, networks });
}

async function open(
  modelDirectory: string,
  model: ModelDirectory,
  { sideThreads, ...options }: PipelineOptions,
): Promise<Networks> {
  if (sideThreads === undefined) return await openNetworks(model, options);
  return await openBesideNetworks(model, { modelDirectory, sideThreads, ...options });
}
