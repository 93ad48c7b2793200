/** The library's door: a model directory in, an open model that draws pictures out. */
import { openModelDirectory } from "../model/open-model-directory.ts";
import { openNetworks } from "../networks/open-networks.ts";
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
  const networks = await openNetworks(model, options);
  return new ModelPipeline({ model, info, promptEncoder, networks });
}
