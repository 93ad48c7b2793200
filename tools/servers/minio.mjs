/**
 * Finds a MinIO server to test against, and builds one into the user's cache where asked. MinIO
 * publishes no binaries any more, so it is built from its Go module: some four minutes on two
 * cores, a binary of 110 MB, and 2 GB in Go's own caches. Plain JavaScript on node's own modules.
 * Also a command: `node tools/servers/minio.mjs [--fetch]`.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The last commit of the community edition; its release tags are not on the module proxy. */
const release = {
  module: "github.com/minio/minio",
  version: "v0.0.0-20260212201848-7aac2a2c5b7c",
  date: "2026-02-12T20-18-48Z",
  /** What its go.mod asks for. */
  go: [1, 24],
};

const probeMs = 20_000;
const downloadMs = 5 * 60_000;
/** Twenty times what a quiet machine needs would still end. */
const buildMs = 60 * 60_000;

/**
 * A MinIO server, or undefined where none can be had.
 * @param {{ fetch?: boolean, log?: (text: string) => void }} options
 *   fetch: whether one may be built, which uses the network; log: receives progress in words.
 * @returns {Promise<{ path: string, version: string, source: string } | undefined>}
 */
export async function findMinio({ fetch = false, log = () => undefined } = {}) {
  const named = process.env.MINIO_BIN;
  if (named) {
    const found = await probe(named, "MINIO_BIN");
    if (!found) log(`MINIO_BIN names no working MinIO server: ${named}`);
    return found;
  }
  const present = (await findOnPath()) ?? (await probe(cachedPath(), "cache"));
  return present ?? (fetch ? await build(log) : undefined);
}

/** Whether `findMinio({ fetch: true })` could build one here. */
export async function canBuildMinio() {
  const version = await readGoVersion();
  return version !== undefined && isAtLeast(version, release.go);
}

function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(base, "zfarm", "bin");
}

function cachedPath() {
  return join(cacheFolder(), `minio-${release.date}`);
}

async function findOnPath() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, "minio");
    const found = folder === "" ? undefined : await probe(path, "PATH");
    if (found) return found;
  }
  return undefined;
}

/**
 * Builds in a folder of its own and moves the binary into the cache in one step: callers at the
 * same time may both do the work, and none sees half a file.
 */
async function build(log) {
  if (!(await canBuildMinio())) {
    log(`no Go ${release.go.join(".")} or newer here, which building MinIO needs`);
    return undefined;
  }
  const folder = join(cacheFolder(), `.new-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(folder, { recursive: true });
    log(`building MinIO ${release.date} with Go (once, several minutes)`);
    const made = join(folder, "minio");
    await compile(made);
    const found = await probe(made, "its Go module");
    if (!found) throw new TypeError("the binary does not run here");
    await rename(made, cachedPath());
    return { ...found, path: cachedPath() };
  } catch (error) {
    log(`MinIO from its Go module: ${error.message}`);
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * `go install` refuses a module whose go.mod replaces others. Building inside the downloaded,
 * read-only copy takes MinIO's own pins, and the copy is checked against Go's checksum database.
 */
async function compile(output) {
  // The toolchain that is installed, a plain static binary, nobody's vendor flags.
  const env = { GOTOOLCHAIN: "local", GOFLAGS: "", CGO_ENABLED: "0", GOWORK: "off" };
  const download = ["mod", "download", "-json", `${release.module}@${release.version}`];
  const info = JSON.parse(await runCommand("go", download, { limitMs: downloadMs, env }));
  const variables = {
    Version: release.date,
    ReleaseTag: `DEVELOPMENT.${release.date}`,
    CommitID: release.version.split("-").at(-1),
  };
  const set = Object.entries(variables).map(([name, value]) => {
    return `-X ${release.module}/cmd.${name}=${value}`;
  });
  const flags = ["-trimpath", "-buildvcs=false", `-ldflags=-s -w ${set.join(" ")}`];
  // Lowest priority but one: whoever works on this machine should not notice.
  await runCommand("nice", ["-n", "10", "go", "build", ...flags, "-o", output, "."], {
    limitMs: buildMs,
    env,
    cwd: info.Dir,
  });
}

async function readGoVersion() {
  const text = await runCommand("go", ["env", "GOVERSION"], { limitMs: probeMs }).catch(() => "");
  const match = /(\d+)\.(\d+)/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function isAtLeast(version, oldest) {
  return (version[0] - oldest[0] || version[1] - oldest[1]) >= 0;
}

async function probe(path, source) {
  const isThere = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const text = await runCommand(path, ["--version"], { limitMs: probeMs }).catch(() => "");
  const version = /^\S* version \w+\.(\S+)/.exec(text)?.[1];
  return version === undefined ? undefined : { path, version, source };
}

/** A command's stdout; fails with the end of its stderr, or when it takes longer than allowed. */
function runCommand(command, args, { limitMs, env = {}, cwd }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr = (stderr + chunk).slice(-2_000)));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const end = signal ? `${signal} after ${limitMs} ms` : `exit code ${code}`;
      return reject(new TypeError(`${command}: ${end} ${stderr.trim()}`));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await findMinio({
    fetch: process.argv.includes("--fetch"),
    log: (text) => process.stderr.write(`${text}\n`),
  });
  if (found === undefined) process.exitCode = 1;
  else process.stdout.write(`${found.path}\n`);
}
