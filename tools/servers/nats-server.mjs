/**
 * Finds a nats-server to run, and fetches one into the user's cache where asked: from its Go
 * module, else from Debian. Plain JavaScript on node's own modules, because setup runs it before
 * any package is installed. Also a command: `node tools/servers/nats-server.mjs [--fetch]`.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, chmod, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Pinned releases and the Go each needs to build; the first one that Go can build is taken. */
const releases = [
  { version: "2.14.9", go: [1, 26] },
  { version: "2.12.15", go: [1, 25] },
];
/** Streams, limits and ordered consumers behave as the farm needs from here on. */
const versionMin = [2, 10];
/** Last resort, Debian 12's 2.9.10: after SIGKILL a removed message may come back. */
const versionLastResort = [2, 9];

class FetchError extends Error {
  name = "FetchError";
}

const probeMs = 10_000;
const buildMs = 15 * 60_000;
const downloadMs = 3 * 60_000;

/**
 * A nats-server, or undefined where none can be had.
 * @param {{ fetch?: boolean, log?: (text: string) => void }} options
 *   fetch: whether the network may be used; log: receives progress in words.
 * @returns {Promise<{ path: string, version: string, source: string } | undefined>}
 */
export async function findNatsServer({ fetch = false, log = () => undefined } = {}) {
  const named = process.env.NATS_SERVER_BIN;
  if (named) {
    const found = await probe(named, "NATS_SERVER_BIN");
    if (found) return found;
    log(`NATS_SERVER_BIN names no working nats-server: ${named}`);
    return undefined;
  }
  const present = (await findOnPath()) ?? (await findInCache(versionMin));
  if (present) return present;
  const fetched = fetch ? ((await build(log)) ?? (await unpackDebian(log))) : undefined;
  const found = fetched ?? (await findInCache(versionLastResort));
  if (found && !isAtLeast(found.version, versionMin)) {
    log(`nats-server ${found.version} is older than ${versionMin.join(".")}: for tries only`);
  }
  return found;
}

function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(base, "zfarm", "bin");
}

async function findOnPath() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, "nats-server");
    if (folder === "" || !(await isExecutable(path))) continue;
    const found = await probe(path, "PATH");
    if (found && isAtLeast(found.version, versionMin)) return found;
  }
  return undefined;
}

/** The newest cached server that is not older than asked. */
async function findInCache(oldest) {
  const names = await readdir(cacheFolder()).catch(() => []);
  const versions = names
    .map((name) => /^nats-server-(\d+\.\d+\.\d+)$/.exec(name)?.[1])
    .filter((version) => version !== undefined && isAtLeast(version, oldest));
  versions.sort((a, b) => compareVersions(parseVersion(b), parseVersion(a)));
  for (const version of versions) {
    const found = await probe(join(cacheFolder(), `nats-server-${version}`), "cache");
    if (found) return found;
  }
  return undefined;
}

async function build(log) {
  const goVersion = await readGoVersion();
  const release = releases.find(({ go }) => goVersion && compareVersions(goVersion, go) >= 0);
  if (!release) {
    log(goVersion ? `Go ${goVersion.join(".")} is too old for nats-server` : "no Go here");
    return undefined;
  }
  log(`building nats-server ${release.version} with Go (once, a minute or two)`);
  return install(
    async (folder) => {
      await runCommand("go", ["install", `github.com/nats-io/nats-server/v2@v${release.version}`], {
        limitMs: buildMs,
        // The toolchain that is installed, a plain static binary, nobody's vendor flags.
        env: { GOBIN: folder, GOTOOLCHAIN: "local", GOFLAGS: "", CGO_ENABLED: "0" },
      });
      return join(folder, "nats-server");
    },
    { source: `Go module v${release.version}`, log },
  );
}

async function readGoVersion() {
  const text = await runCommand("go", ["env", "GOVERSION"], { limitMs: probeMs }).catch(() => "");
  return parseVersion(text);
}

/** Debian's package without root: apt works in folders of its own and nothing is installed. */
async function unpackDebian(log) {
  const tools = await runCommand("dpkg", ["--print-architecture"], { limitMs: probeMs }).catch(
    () => undefined,
  );
  if (tools === undefined) return undefined;
  log("fetching Debian's nats-server package (once)");
  return install(
    async (folder) => {
      const apt = await prepareApt(folder);
      await runCommand("apt-get", [...apt, "update", "-qq"], { limitMs: downloadMs });
      await runCommand("apt-get", [...apt, "download", "-qq", "nats-server"], {
        limitMs: downloadMs,
        cwd: folder,
      });
      const archive = (await readdir(folder)).find((name) => name.endsWith(".deb"));
      if (archive === undefined) throw new FetchError("apt-get download left no package");
      await runCommand("dpkg", ["-x", archive, "root"], { limitMs: probeMs, cwd: folder });
      const usr = join(folder, "root", "usr");
      const [inSbin, inBin] = [join(usr, "sbin", "nats-server"), join(usr, "bin", "nats-server")];
      return (await isExecutable(inSbin)) ? inSbin : inBin;
    },
    { source: "Debian package", log },
  );
}

/** Options that point apt at private state; its package sources stay the machine's own. */
async function prepareApt(folder) {
  const state = join(folder, "apt");
  await mkdir(join(state, "lists", "partial"), { recursive: true });
  await mkdir(join(state, "cache", "archives", "partial"), { recursive: true });
  await writeFile(join(state, "status"), "");
  const options = {
    "Dir::State": state,
    "Dir::State::lists": join(state, "lists"),
    "Dir::State::status": join(state, "status"),
    "Dir::Cache": join(state, "cache"),
    "APT::Sandbox::User": "",
  };
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/**
 * Runs `make` in a folder of its own and moves the binary it names into the cache in one step:
 * callers at the same time may both do the work, and none sees half a file.
 */
async function install(make, { source, log }) {
  const folder = join(cacheFolder(), `.new-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(folder, { recursive: true });
    const made = await make(folder);
    await chmod(made, 0o755);
    const { version } = (await probe(made, source)) ?? {};
    if (version === undefined) throw new FetchError("the binary does not run here");
    const path = join(cacheFolder(), `nats-server-${version}`);
    await rename(made, path);
    return { path, version, source };
  } catch (error) {
    log(`nats-server from ${source}: ${error.message}`);
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function probe(path, source) {
  const text = await runCommand(path, ["--version"], { limitMs: probeMs }).catch(() => "");
  const version = parseVersion(text)?.join(".");
  return version === undefined ? undefined : { path, version, source };
}

async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first `1.2` or `1.2.3` in a text, as numbers. */
function parseVersion(text) {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match ? match.slice(1).map((part) => Number(part ?? 0)) : undefined;
}

function compareVersions(a, b) {
  return a[0] - b[0] || a[1] - b[1] || (a[2] ?? 0) - (b[2] ?? 0);
}

function isAtLeast(version, oldest) {
  return compareVersions(parseVersion(version), oldest) >= 0;
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
      return reject(new FetchError(`${command}: ${end} ${stderr.trim()}`));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await findNatsServer({
    fetch: process.argv.includes("--fetch"),
    log: (text) => process.stderr.write(`${text}\n`),
  });
  if (found === undefined) process.exitCode = 1;
  else process.stdout.write(`${found.path}\n`);
}
