/** Finds a component's safetensors files, one or many, and merges their headers into one index. */
import { realpath } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { z } from "zod";
import { ModelError } from "../errors.ts";
import { parseFile, readJson } from "../model/read-json.ts";
import type { HeaderLimits, HeaderTensor, SafetensorsHeader } from "./safetensors-header.ts";
import { checkpointLimits, preparedLimits, readSafetensorsHeader } from "./safetensors-header.ts";
import type { TensorIndex, TensorRef } from "./tensor-index.ts";

export interface ComponentFiles {
  /** Absolute path of the component's folder. */
  readonly folder: string;
  /** File name without `.safetensors`: `diffusion_pytorch_model` or `model`. */
  readonly stem: string;
  /** Gives each tensor the names that the networks know; all keep theirs when absent. */
  readonly translate?: TranslateTensor;
  /** Whether packed levels may stand beside the floats: only where a record says so. */
  readonly prepared?: boolean;
}

/** Zero, one or several tensors for one of a file: others read the same bytes in other shapes. */
export type TranslateTensor = (tensor: HeaderTensor) => readonly HeaderTensor[];

export interface WeightFile {
  /** Path as the model directory names it, not resolved. */
  readonly path: string;
  /** Where the bytes really lie. */
  readonly realPath: string;
  readonly header: SafetensorsHeader;
}

export interface OpenedTensors {
  readonly index: TensorIndex;
  readonly files: readonly WeightFile[];
}

/** A shard is a plain name: a path could point anywhere. */
const shardName = z.string().regex(/^[A-Za-z0-9_.-]{1,200}\.safetensors$/, "is not a shard's name");
const shardIndexFile = z.object({ weight_map: z.record(z.string(), shardName) });

/** Files of more shards than this are not models but mistakes. */
const shardsMax = 512;

/**
 * Reads `<stem>.safetensors.index.json` where there is one, else `<stem>.safetensors`.
 * MODEL_INVALID names the file that is missing, truncated or at odds with the index.
 */
export async function openTensorIndex(component: ComponentFiles): Promise<OpenedTensors> {
  const shards = await listShards(component);
  const limits = component.prepared === true ? preparedLimits : checkpointLimits;
  const files = await Promise.all(
    shards.names.map((name) => readWeightFile(join(component.folder, name), limits)),
  );
  if (shards.weightMap !== undefined) checkWeightMap(component, shards.weightMap, files);
  return { index: mergeHeaders(files, component.translate ?? keepName), files };
}

/** A component that is one file of any name. */
export async function openTensorFile(
  path: string,
  translate: TranslateTensor,
): Promise<OpenedTensors> {
  const files = [await readWeightFile(path, checkpointLimits)];
  return { index: mergeHeaders(files, translate), files };
}

async function readWeightFile(path: string, limits: HeaderLimits): Promise<WeightFile> {
  const header = await readSafetensorsHeader(path, limits);
  return { path, realPath: await realpath(path), header };
}

function keepName(tensor: HeaderTensor): readonly HeaderTensor[] {
  return [tensor];
}

interface Shards {
  readonly names: readonly string[];
  /** Tensor name to shard; absent when there is just one file. */
  readonly weightMap: Readonly<Record<string, string>> | undefined;
}

async function listShards(component: ComponentFiles): Promise<Shards> {
  const single = `${component.stem}.safetensors`;
  const path = join(component.folder, `${single}.index.json`);
  const hasIndex = await realpath(path).then(
    () => true,
    () => false,
  );
  if (!hasIndex) return { names: [single], weightMap: undefined };
  const weightMap = parseFile(shardIndexFile, await readJson(path), path).weight_map;
  const names = [...new Set(Object.values(weightMap))].toSorted();
  if (names.length === 0 || names.length > shardsMax) {
    const message = `${path}: field weight_map names ${names.length} shards; 1 to ${shardsMax}`;
    throw new ModelError("MODEL_INVALID", message, { file: path, field: "weight_map" });
  }
  return { names, weightMap };
}

/** The index and the shards must agree on every tensor, in both directions. */
function checkWeightMap(
  component: ComponentFiles,
  weightMap: Readonly<Record<string, string>>,
  files: readonly WeightFile[],
): void {
  const listed = new Map(Object.entries(weightMap));
  for (const { path, header } of files) {
    for (const { name } of header.tensors) {
      const shard = listed.get(name);
      if (shard === undefined || join(component.folder, shard) !== path) {
        refuseTensor(path, name, "is not assigned to this shard by the index");
      }
      listed.delete(name);
    }
  }
  for (const [name, shard] of listed) {
    refuseTensor(join(component.folder, shard), name, "is missing, though the index names it");
  }
}

/**
 * The runtime reads weights only below one folder and refuses links that leave it, so links are
 * resolved first: in a Hugging Face cache the folder is then `blobs`, where all files really lie.
 */
function mergeHeaders(files: readonly WeightFile[], translate: TranslateTensor): TensorIndex {
  const folder = commonFolder(files.map(({ realPath }) => realPath));
  const tensors = new Map<string, TensorRef>();
  for (const { path, realPath, header } of files) {
    const file = relative(folder, realPath);
    for (const { name, dtype, shape, offset, length } of header.tensors.flatMap(translate)) {
      if (tensors.has(name)) refuseTensor(path, name, "is there twice");
      tensors.set(name, { name, dtype, shape, file, offset, length });
    }
  }
  return { folder, tensors };
}

function commonFolder(paths: readonly string[]): string {
  const folders = paths.map((path) => dirname(path).split(sep));
  const first = folders[0] ?? [];
  let depth = first.length;
  for (const folder of folders) {
    const differs = first.findIndex((part, at) => folder[at] !== part);
    if (differs >= 0) depth = Math.min(depth, differs);
  }
  return first.slice(0, depth).join(sep) || sep;
}

function refuseTensor(file: string, field: string, what: string): never {
  throw new ModelError("MODEL_INVALID", `${file}: tensor ${field} ${what}`, { file, field });
}
