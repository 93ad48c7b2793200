/**
 * Looks for a server binary where users have one already: named by a variable, or on PATH.
 *
 * @typedef {object} Server What there is to know about a kind of server to find its binary.
 * @property {string} name The binary's file name.
 * @property {string} title What messages call it.
 * @property {string} variable The environment variable that names a binary.
 * @property {number} probeMs How long `--version` may take; a big binary starts slowly.
 * @property {string} [versionArgument] Makes it print its version; `--version` where absent.
 * @property {(text: string) => string | undefined} [readVersion] Takes what it prints then.
 * @property {string} [module] Of one in Go that prints no version: the module whose release it is.
 *
 * @typedef {{ path: string, version: string, source: string }} FoundServer
 */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { readModuleVersion } from "./go-build-info.mjs";
import { runCommand } from "./run-command.mjs";

/**
 * A binary that runs here and says its version; undefined for any other file, or none.
 * @param {Server} server
 * @param {string} path
 * @param {string} source Where it came from, in words.
 * @returns {Promise<FoundServer | undefined>}
 */
export async function probeServer(server, path, source) {
  const version = await (server.module
    ? readModuleVersion(path, server.module)
    : askVersion(server, path));
  return version === undefined ? undefined : { path, version, source };
}

async function askVersion({ versionArgument = "--version", readVersion, probeMs }, path) {
  const printed = await runCommand(path, [versionArgument], { limitMs: probeMs }).catch(() => "");
  return readVersion(printed);
}

/**
 * The binary that a user named. Where it does not work that is said and no other is looked for:
 * whoever names one wants that one.
 * @param {Server} server
 * @param {string} path
 * @param {(text: string) => void} log
 * @returns {Promise<FoundServer | undefined>}
 */
export async function findNamedServer(server, path, log) {
  const found = await probeServer(server, path, server.variable);
  if (!found) log(`${server.variable} names no working ${server.title}: ${path}`);
  return found;
}

/**
 * The first binary on PATH with a version that is wanted.
 * @param {Server} server
 * @param {(version: string) => boolean} isWanted
 * @returns {Promise<FoundServer | undefined>}
 */
export async function findServerOnPath(server, isWanted) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, server.name);
    if (folder === "" || !(await isExecutable(path))) continue;
    const found = await probeServer(server, path, "PATH");
    if (found && isWanted(found.version)) return found;
  }
  return undefined;
}

/** @param {string} path */
export async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
