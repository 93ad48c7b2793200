/** Opens the weights of the three networks, wherever the layout has them. */
import { join } from "node:path";
import { invariant } from "../invariant.ts";
import type { OpenedTensors } from "../weights/open-tensor-index.ts";
import { openTensorFile, openTensorIndex } from "../weights/open-tensor-index.ts";
import { translateTextEncoder, translateTransformer } from "./comfyui-names.ts";
import type { ModelLayout } from "./find-layout.ts";
import { translateVae } from "./ldm-vae-names.ts";
import type { ModelConfigs } from "./read-model-configs.ts";

export interface OpenedComponents {
  readonly transformer: OpenedTensors;
  readonly textEncoder: OpenedTensors;
  readonly vae: OpenedTensors;
}

export async function openComponents(
  layout: ModelLayout,
  configs: Pick<ModelConfigs, "vae" | "prepared">,
): Promise<OpenedComponents> {
  return layout.kind === "diffusers"
    ? await openFolders(layout.path, configs.prepared !== undefined)
    : await openSingleFiles(layout, configs.vae.config.blockChannels.length);
}

async function openFolders(path: string, prepared: boolean): Promise<OpenedComponents> {
  const stem = "diffusion_pytorch_model";
  return {
    transformer: await openTensorIndex({ folder: join(path, "transformer"), stem, prepared }),
    textEncoder: await openTensorIndex({
      folder: join(path, "text_encoder"),
      stem: "model",
      translate: translateTextEncoder,
      prepared,
    }),
    vae: await openTensorIndex({ folder: join(path, "vae"), stem }),
  };
}

async function openSingleFiles({ files }: ModelLayout, levels: number): Promise<OpenedComponents> {
  invariant(files !== undefined, "a layout of single files names them");
  return {
    transformer: await openTensorFile(files.transformer, translateTransformer),
    textEncoder: await openTensorFile(files.textEncoder, translateTextEncoder),
    vae: await openTensorFile(files.vae, (tensor) => translateVae(tensor, levels)),
  };
}
