/**
 * Finds out how a model lies on disk: a directory of diffusers' layout, the same inside a Hugging
 * Face cache, or ComfyUI's single files.
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ModelError } from "../errors.ts";
import type { SingleFiles } from "./find-single-files.ts";
import { findSingleFiles, singleFileFolders } from "./find-single-files.ts";

export interface ModelLayout {
  readonly kind: "diffusers" | "comfyui";
  /** Absolute path of the folder that holds everything. */
  readonly path: string;
  /** In ComfyUI's layout only. */
  readonly files?: SingleFiles;
}

export const modelIndexFile = "model_index.json";

/**
 * `given` is a model directory, the directory of a model in a Hugging Face cache, a folder with
 * single files, or the single file of a transformer. MODEL_INVALID says what is missing.
 */
export async function findLayout(given: string): Promise<ModelLayout> {
  const path = await realpath(given).catch((cause: unknown) => {
    const file = resolve(given);
    throw new ModelError("MODEL_INVALID", `${file} is missing`, { file, cause });
  });
  if ((await stat(path)).isFile()) return await layoutOfFile(resolve(given));
  const entries = await readdir(path);
  if (entries.includes(modelIndexFile)) return { kind: "diffusers", path };
  if (entries.includes("snapshots")) return await findLayout(await currentSnapshot(path));
  const files = await findSingleFiles(path);
  if (files !== undefined) return { kind: "comfyui", path, files };
  const file = join(path, modelIndexFile);
  throw new ModelError("MODEL_INVALID", `${file} is missing, and so is a transformer's file`, {
    file,
  });
}

/** The other files are looked for beside the transformer, or beside its folder. */
async function layoutOfFile(transformer: string): Promise<ModelLayout> {
  let folder = dirname(transformer);
  if (singleFileFolders.includes(basename(folder))) folder = dirname(folder);
  if (basename(folder) === "split_files") folder = dirname(folder);
  const path = await realpath(folder);
  const files = await findSingleFiles(path, transformer);
  if (files !== undefined) return { kind: "comfyui", path, files };
  const message = `${transformer} is not the file of a Z-Image transformer`;
  throw new ModelError("MODEL_INVALID", message, { file: transformer });
}

/** What `refs/main` names, else the only snapshot there is. */
async function currentSnapshot(repository: string): Promise<string> {
  const folder = join(repository, "snapshots");
  const snapshots = await readdir(folder);
  const main = await readFile(join(repository, "refs/main"), "utf8").catch(() => undefined);
  const [only] = snapshots.length === 1 ? snapshots : [];
  const revision = main?.trim() ?? only;
  if (revision !== undefined && snapshots.includes(revision)) return join(folder, revision);
  const given = snapshots.length === 0 ? "none" : snapshots.toSorted().join(", ");
  throw new ModelError("MODEL_INVALID", `${folder}: which snapshot? There are: ${given}`, {
    file: folder,
  });
}
