/**
 * Programs of others that tests run, built from their Go modules into the user's cache: each at
 * one pinned release, one after another, at a low priority. Plain JavaScript on node's own modules.
 *
 * @typedef {object} GoProgram What there is to know about a program to build it.
 * @property {string} version The pinned release, without a `v`: the only one taken from the cache.
 * @property {readonly number[]} go The Go that its module asks for.
 * @property {string} package The import path of its main package.
 * @property {string} [wrapper] The folder below `go/` whose go.mod and go.sum pin everything that
 *   goes into it; needed where the module replaces others, because `go install` refuses it then.
 * @property {Readonly<Record<string, string>>} [stamps] String variables to set while linking:
 *   programs that take their version from there would not say which release they are.
 *
 * @typedef {import("./server-binary.mjs").Server & GoProgram} GoTool
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goEnvironment, readGoVersion } from "./go-toolchain.mjs";
import { runCommand } from "./run-command.mjs";
import { findNamedServer } from "./server-binary.mjs";
import { findCached, installServer } from "./server-cache.mjs";
import { compareVersions } from "./versions.mjs";

/** About five times what the largest of them needs on two quiet cores, its downloads included. */
const buildMs = 60 * 60_000;
/** Packages compiled at once: each may take a gigabyte of memory, however many cores there are. */
const packagesAtOnce = 2;

/**
 * How to get a program, for whoever needs it.
 * @param {GoTool} tool
 */
export function goTool(tool) {
  return {
    title: `${tool.title} ${tool.version}`,
    find: (options = {}) => findGoTool(tool, options),
    /** Whether `find({ fetch: true })` could build it here. */
    canBuild: async () => isNewEnough(tool, await readGoVersion()),
  };
}

async function findGoTool(tool, { fetch = false, log = () => undefined }) {
  const named = process.env[tool.variable];
  if (named) return findNamedServer(tool, named, log);
  // One on PATH is not looked for: what tests compare depends on the release.
  const cached = await findCached(tool, tool.version);
  if (cached?.version === tool.version) return cached;
  return fetch ? build(tool, log) : undefined;
}

async function build(tool, log) {
  if (!isNewEnough(tool, await readGoVersion())) {
    log(`no Go ${tool.go.join(".")} or newer here, which building ${tool.title} needs`);
    return undefined;
  }
  log(`building ${tool.title} ${tool.version} with Go (once)`);
  return installServer(tool, {
    make: async (folder) => {
      await runCommand("nice", ["-n", "10", "go", ...compile(tool, folder)], {
        limitMs: buildMs,
        env: { ...goEnvironment, GOBIN: folder },
        cwd: tool.wrapper && fileURLToPath(new URL(`go/${tool.wrapper}`, import.meta.url)),
      });
      return join(folder, tool.name);
    },
    source: `Go module v${tool.version}`,
    log,
  });
}

/** Both ways end with `<folder>/<name>`, and both are checked against known checksums. */
function compile(tool, folder) {
  const set = Object.entries(tool.stamps ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const link = `-ldflags=${["-s", "-w", ...set].join(" ")}`;
  const flags = ["-p", String(packagesAtOnce), "-trimpath", "-buildvcs=false", link];
  if (!tool.wrapper) return ["install", ...flags, `${tool.package}@v${tool.version}`];
  return ["build", "-mod=readonly", ...flags, "-o", join(folder, tool.name), tool.package];
}

function isNewEnough(tool, version) {
  return version !== undefined && compareVersions(version, tool.go) >= 0;
}
