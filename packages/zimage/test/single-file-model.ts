/** A model in ComfyUI's layout, with the same bytes of weights as the one it is made from. */
import { cp, mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelDirectory } from "../src/model/open-model-directory.ts";
import { openModelDirectory } from "../src/model/open-model-directory.ts";
import type { TensorIndex } from "../src/weights/tensor-index.ts";
import { headerOf, type TensorEntry } from "./safetensors-writer.ts";
import type { SingleFileTensor } from "./single-file-names.ts";
import { fuseTransformer, nameAsLdm } from "./single-file-names.ts";

export interface SingleFileOptions {
  /** Where the three files go, below the target; ComfyUI's download folders by default. */
  readonly root?: string;
  readonly prefix?: string;
  readonly transformerFile?: string;
}

/**
 * Writes the model of `source` to `target`, with the configuration files beside, as the released
 * ones would not fit.
 */
export async function writeSingleFileModel(
  source: string,
  target: string,
  options: SingleFileOptions = {},
): Promise<void> {
  const { root = "split_files", prefix = "" } = options;
  const model = await openModelDirectory(source);
  await cp(source, target, { recursive: true });
  await removeWeights(target, model);
  const folder = (name: string) => join(target, root, name);
  for (const name of ["diffusion_models", "text_encoders", "vae"]) {
    await mkdir(folder(name), { recursive: true });
  }
  const shapesOf = ({ tensors }: TensorIndex) =>
    new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const transformer = options.transformerFile ?? "z_image_turbo_bf16.safetensors";
  const levels = model.vae.config.blockChannels.length;
  await writeTensors(
    join(folder("diffusion_models"), transformer),
    model.transformer.tensors,
    fuseTransformer(shapesOf(model.transformer.tensors), prefix),
  );
  await writeTensors(
    join(folder("text_encoders"), "qwen_3_4b.safetensors"),
    model.textEncoder.tensors,
    [...shapesOf(model.textEncoder.tensors)].map(([name, shape]) => ({
      name: `model.${name}`,
      shape,
      from: [name],
    })),
  );
  await writeTensors(
    join(folder("vae"), "ae.safetensors"),
    model.vae.tensors,
    nameAsLdm(shapesOf(model.vae.tensors), levels),
  );
}

async function removeWeights(target: string, model: ModelDirectory): Promise<void> {
  await rm(join(target, "model_index.json"));
  await rm(join(target, "transformer/diffusion_pytorch_model.safetensors.index.json"), {
    force: true,
  });
  for (const { tensors } of [model.transformer, model.textEncoder, model.vae]) {
    const files = new Set([...tensors.tensors.values()].map(({ file }) => file));
    const component = tensors.folder.slice(model.path.length + 1);
    for (const file of files) await rm(join(target, component, file));
  }
}

async function writeTensors(
  path: string,
  index: TensorIndex,
  tensors: readonly SingleFileTensor[],
): Promise<void> {
  const entries = tensors.map(({ name, shape, from }): TensorEntry => {
    const dtype = index.tensors.get(from[0] ?? "")?.dtype ?? "F32";
    return { name, dtype, shape };
  });
  const bodies: Buffer[] = [];
  for (const { from } of tensors) {
    bodies.push(Buffer.concat(await Promise.all(from.map((one) => readTensor(index, one)))));
  }
  await writeFile(path, [headerOf(entries), ...bodies]);
}

/** The bytes of one tensor, wherever they lie. */
export async function readTensor(index: TensorIndex, name: string): Promise<Buffer> {
  const tensor = index.tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  const handle = await open(join(index.folder, tensor.file));
  try {
    const bytes = Buffer.alloc(tensor.length);
    await handle.read(bytes, 0, tensor.length, tensor.offset);
    return bytes;
  } finally {
    await handle.close();
  }
}
