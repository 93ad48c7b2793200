/** Walks a folder of blobs in key order without holding more than one folder per level. */
import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isBlobKey } from "./blob-key.ts";

interface Range {
  readonly prefix: string;
  /** Only keys behind this one. */
  readonly after: string;
}

/** Every key under the root that is in the range; files that are no blobs are left out. */
export async function* walkDirectory(root: string, range: Range): AsyncIterable<string> {
  // Straight to where the prefix leads: the folders above it may hold a hundred thousand others.
  const folder = range.prefix.slice(0, range.prefix.lastIndexOf("/") + 1);
  if (await isReached(root, folder)) yield* walk(root, folder, range);
}

/** Whether the folder is one of ours, all the way: behind a link lie no blobs. */
async function isReached(root: string, folder: string): Promise<boolean> {
  const parts = folder.split("/").slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const info = await lstat(join(root, ...parts.slice(0, depth))).catch(ignoreMissing);
    if (info?.isDirectory() !== true) return false;
  }
  return true;
}

async function* walk(root: string, folder: string, range: Range): AsyncIterable<string> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(ignoreMissing);
  const names = (entries ?? [])
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map(nameInOrder);
  for (const name of names.toSorted()) {
    const key = `${folder}${name}`;
    if (!name.endsWith("/")) {
      if (key.startsWith(range.prefix) && key > range.after && isBlobKey(key)) yield key;
    } else if (isBlobKey(key.slice(0, -1)) && mayHold(key, range)) {
      yield* walk(root, key, range);
    }
  }
}

/** With its slash a folder sorts where its keys sort: after `a-b` and `a.b`, before `a0`. */
function nameInOrder(entry: Dirent): string {
  return entry.isDirectory() ? `${entry.name}/` : entry.name;
}

/** Whether keys in the folder can be in the range. */
function mayHold(folder: string, { prefix, after }: Range): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return folder > after || after.startsWith(folder);
}

/** A folder may go while the walk is on its way to it. */
function ignoreMissing(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw error;
}
