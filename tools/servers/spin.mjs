/**
 * Finds the model checker spin, and fetches Debian's into the user's cache where asked. It is no
 * server, but it is found and kept like one. Plain JavaScript, because setup runs it before any
 * package is installed. Also a command: `node tools/servers/spin.mjs [--fetch]`.
 */
import { join } from "node:path";
import { hasDebianTools, unpackDebianPackage } from "./debian-package.mjs";
import { runAsCommand } from "./run-as-command.mjs";
import { findNamedServer, findServerOnPath } from "./server-binary.mjs";
import { findNewestCached, installServer } from "./server-cache.mjs";
import { parseVersion } from "./versions.mjs";

/** @type {import("./server-binary.mjs").Server} */
const spin = {
  name: "spin",
  title: "spin",
  variable: "SPIN_BIN",
  probeMs: 10_000,
  versionArgument: "-V",
  readVersion: (text) =>
    text.startsWith("Spin Version") ? parseVersion(text)?.join(".") : undefined,
};

/**
 * A spin, or undefined where none can be had. To check a model it also needs a C compiler.
 * @param {{ fetch?: boolean, log?: (text: string) => void }} options
 *   fetch: whether the network may be used; log: receives progress in words.
 * @returns {Promise<{ path: string, version: string, source: string } | undefined>}
 */
export async function findSpin({ fetch = false, log = () => undefined } = {}) {
  const named = process.env[spin.variable];
  if (named) return findNamedServer(spin, named, log);
  const present = (await findServerOnPath(spin, () => true)) ?? (await findNewestCached(spin, [6]));
  if (present || !fetch || !(await hasDebianTools())) return present;
  log("fetching Debian's spin package (once)");
  return installServer(spin, {
    make: async (folder) => join(await unpackDebianPackage("spin", folder), "usr/bin/spin"),
    source: "Debian package",
    log,
  });
}

await runAsCommand(import.meta.url, findSpin);
