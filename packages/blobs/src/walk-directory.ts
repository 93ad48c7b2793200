/** Walks a folder of blobs in key order without holding more than one folder per level. */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isBlobKey } from "./blob-key.ts";

/** Every key under the root that starts with the prefix; files that are no blobs are left out. */
export async function* walkDirectory(root: string, prefix: string): AsyncIterable<string> {
  yield* walk(root, "", prefix);
}

async function* walk(root: string, folder: string, prefix: string): AsyncIterable<string> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(ignoreMissing);
  const names = entries.filter((entry) => entry.isFile() || entry.isDirectory()).map(nameInOrder);
  for (const name of names.toSorted()) {
    const key = `${folder}${name}`;
    if (!name.endsWith("/")) {
      if (key.startsWith(prefix) && isBlobKey(key)) yield key;
    } else if (isBlobKey(key.slice(0, -1)) && mayHold(key, prefix)) {
      yield* walk(root, key, prefix);
    }
  }
}

/** With its slash a folder sorts where its keys sort: after `a-b` and `a.b`, before `a0`. */
function nameInOrder(entry: Dirent): string {
  return entry.isDirectory() ? `${entry.name}/` : entry.name;
}

/** Whether keys in the folder can start with the prefix. */
function mayHold(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder);
}

/** A folder may go while the walk is on its way to it. */
function ignoreMissing(error: unknown): Dirent[] {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
  throw error;
}
