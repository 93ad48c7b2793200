/** The user's cache of server binaries, one file per version: looks into it and adds to it. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { probeServer } from "./server-binary.mjs";
import { ServerBinaryError } from "./server-binary-error.mjs";
import { compareVersions, isAtLeast, parseVersion } from "./versions.mjs";

/** @typedef {import("./server-binary.mjs").Server} Server */
/** @typedef {import("./server-binary.mjs").FoundServer} FoundServer */

function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(base, "zfarm", "bin");
}

function cachedPath({ name }, version) {
  return join(cacheFolder(), `${name}-${version}`);
}

/**
 * The cached binary of exactly this version.
 * @param {Server} server
 * @param {string} version
 * @returns {Promise<FoundServer | undefined>}
 */
export async function findCached(server, version) {
  return probeServer(server, cachedPath(server, version), "cache");
}

/**
 * The newest cached binary that works and is not older than asked.
 * @param {Server} server
 * @param {readonly number[]} oldest
 * @returns {Promise<FoundServer | undefined>}
 */
export async function findNewestCached(server, oldest) {
  const prefix = `${server.name}-`;
  // No folder yet is the same as an empty one.
  const files = await readdir(cacheFolder()).catch(() => []);
  const versions = files
    .filter((file) => file.startsWith(prefix))
    .map((file) => file.slice(prefix.length))
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version) && isAtLeast(version, oldest));
  versions.sort((a, b) => compareVersions(parseVersion(b), parseVersion(a)));
  for (const version of versions) {
    const found = await findCached(server, version);
    if (found) return found;
  }
  return undefined;
}

/**
 * Has a binary made in a folder of its own, and moves it into the cache in one step once it has
 * run: callers at the same time may both do the work, and none sees half a file. A failure is
 * logged, and leaves nothing behind.
 * @param {Server} server
 * @param {object} how
 * @param {(folder: string) => Promise<string>} how.make Resolves to the binary's path in `folder`.
 * @param {string} how.source Where the binary comes from, in words.
 * @param {(text: string) => void} how.log
 * @returns {Promise<FoundServer | undefined>}
 */
export async function installServer(server, { make, source, log }) {
  const folder = join(cacheFolder(), `.new-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(folder, { recursive: true });
    const made = await make(folder);
    await chmod(made, 0o755);
    const found = await probeServer(server, made, source);
    if (!found) throw new ServerBinaryError("the binary does not run here");
    const path = cachedPath(server, found.version);
    await rename(made, path);
    return { ...found, path };
  } catch (error) {
    log(
      `${server.title} from ${source}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
