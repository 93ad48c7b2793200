/**
 * Finds a MinIO server to test against, and builds one into the user's cache where asked. MinIO
 * publishes no binaries any more, so it is built from its Go module: some four minutes on two
 * cores, a binary of 110 MB, and 2 GB in Go's own caches. Plain JavaScript on node's own modules.
 * Also a command: `node tools/servers/minio.mjs [--fetch]`.
 */
import { join } from "node:path";
import { goEnvironment, readGoVersion } from "./go-toolchain.mjs";
import { runAsCommand } from "./run-as-command.mjs";
import { runCommand } from "./run-command.mjs";
import { findNamedServer, findServerOnPath } from "./server-binary.mjs";
import { ServerBinaryError } from "./server-binary-error.mjs";
import { findCached, installServer } from "./server-cache.mjs";
import { compareVersions } from "./versions.mjs";

/** @type {import("./server-binary.mjs").Server} */
const minio = {
  name: "minio",
  title: "MinIO server",
  variable: "MINIO_BIN",
  probeMs: 20_000,
  // It prints `<file name> version RELEASE.<date> (...)`, or DEVELOPMENT in place of RELEASE.
  readVersion: (text) => /^\S* version \w+\.(\S+)/.exec(text)?.[1],
};

/** The last commit of the community edition; its release tags are not on the module proxy. */
const release = {
  module: "github.com/minio/minio",
  version: "v0.0.0-20260212201848-7aac2a2c5b7c",
  date: "2026-02-12T20-18-48Z",
  /** What its go.mod asks for. */
  go: [1, 24],
};

const downloadMs = 5 * 60_000;
/** About fifteen times what a quiet machine needs. */
const buildMs = 60 * 60_000;

/**
 * A MinIO server, or undefined where none can be had.
 * @param {{ fetch?: boolean, log?: (text: string) => void }} options
 *   fetch: whether one may be built, which uses the network; log: receives progress in words.
 * @returns {Promise<{ path: string, version: string, source: string } | undefined>}
 */
export async function findMinio({ fetch = false, log = () => undefined } = {}) {
  const named = process.env[minio.variable];
  if (named) return findNamedServer(minio, named, log);
  // Whoever put one on PATH chose its version.
  const present =
    (await findServerOnPath(minio, () => true)) ?? (await findCached(minio, release.date));
  return present ?? (fetch ? await build(log) : undefined);
}

/** Whether `findMinio({ fetch: true })` could build one here. */
export async function canBuildMinio() {
  const version = await readGoVersion();
  return version !== undefined && compareVersions(version, release.go) >= 0;
}

async function build(log) {
  if (!(await canBuildMinio())) {
    log(`no Go ${release.go.join(".")} or newer here, which building MinIO needs`);
    return undefined;
  }
  log(`building MinIO ${release.date} with Go (once, several minutes)`);
  return installServer(minio, {
    make: async (folder) => {
      const output = join(folder, minio.name);
      await compile(output);
      return output;
    },
    source: "its Go module",
    log,
  });
}

/**
 * `go install` refuses a module whose go.mod replaces others. Building inside the downloaded,
 * read-only copy takes MinIO's own pins, and the copy is checked against Go's checksum database.
 */
async function compile(output) {
  const sources = await downloadSources();
  const variables = {
    Version: release.date,
    ReleaseTag: `DEVELOPMENT.${release.date}`,
    CommitID: release.version.split("-").at(-1),
  };
  const set = Object.entries(variables).map(([name, value]) => {
    return `-X ${release.module}/cmd.${name}=${value}`;
  });
  const flags = ["-trimpath", "-buildvcs=false", `-ldflags=-s -w ${set.join(" ")}`];
  // At a lower priority: whoever works on this machine should not notice.
  await runCommand("nice", ["-n", "10", "go", "build", ...flags, "-o", output, "."], {
    limitMs: buildMs,
    env: goEnvironment,
    cwd: sources,
  });
}

/** The folder of Go's module cache that holds MinIO's sources. */
async function downloadSources() {
  const download = ["mod", "download", "-json", `${release.module}@${release.version}`];
  const told = await runCommand("go", download, { limitMs: downloadMs, env: goEnvironment });
  const folder = JSON.parse(told).Dir;
  // Without a folder the build would run on whatever the current one holds.
  if (!folder) throw new ServerBinaryError("go mod download named no folder with the sources");
  return folder;
}

await runAsCommand(import.meta.url, findMinio);
