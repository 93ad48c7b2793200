/**
 * Finds a nats-server to run, and fetches one into the user's cache where asked: from its Go
 * module, else from Debian. Plain JavaScript on node's own modules, because setup runs it before
 * any package is installed. Also a command: `node tools/servers/nats-server.mjs [--fetch]`.
 */
import { join } from "node:path";
import { hasDebianTools, unpackDebianPackage } from "./debian-package.mjs";
import { goEnvironment, readGoVersion } from "./go-toolchain.mjs";
import { runAsCommand } from "./run-as-command.mjs";
import { runCommand } from "./run-command.mjs";
import { findNamedServer, findServerOnPath, isExecutable } from "./server-binary.mjs";
import { findNewestCached, installServer } from "./server-cache.mjs";
import { compareVersions, isAtLeast, parseVersion } from "./versions.mjs";

/** @type {import("./server-binary.mjs").Server} */
const natsServer = {
  name: "nats-server",
  title: "nats-server",
  variable: "NATS_SERVER_BIN",
  probeMs: 10_000,
  readVersion: (text) => parseVersion(text)?.join("."),
};

/** Pinned releases and the Go each needs to build; the first one that Go can build is taken. */
const releases = [
  { version: "2.14.9", go: [1, 26] },
  { version: "2.12.15", go: [1, 25] },
];
/** Streams, limits and ordered consumers behave as the farm needs from here on. */
const versionMin = [2, 10];
/** Last resort, Debian 12's 2.9.10: after SIGKILL a removed message may come back. */
const versionLastResort = [2, 9];

const buildMs = 15 * 60_000;

/**
 * A nats-server, or undefined where none can be had.
 * @param {{ fetch?: boolean, log?: (text: string) => void }} options
 *   fetch: whether the network may be used; log: receives progress in words.
 * @returns {Promise<{ path: string, version: string, source: string } | undefined>}
 */
export async function findNatsServer({ fetch = false, log = () => undefined } = {}) {
  const named = process.env[natsServer.variable];
  if (named) return findNamedServer(natsServer, named, log);
  const present = (await findOnPath()) ?? (await findNewestCached(natsServer, versionMin));
  if (present) return present;
  const fetched = fetch ? ((await build(log)) ?? (await takeFromDebian(log))) : undefined;
  const found = fetched ?? (await findNewestCached(natsServer, versionLastResort));
  if (found && !isAtLeast(found.version, versionMin)) {
    log(`nats-server ${found.version} is older than ${versionMin.join(".")}: for tries only`);
  }
  return found;
}

async function findOnPath() {
  return findServerOnPath(natsServer, (version) => isAtLeast(version, versionMin));
}

async function build(log) {
  const goVersion = await readGoVersion();
  const release = releases.find(({ go }) => goVersion && compareVersions(goVersion, go) >= 0);
  if (!release) {
    log(goVersion ? `Go ${goVersion.join(".")} is too old for nats-server` : "no Go here");
    return undefined;
  }
  log(`building nats-server ${release.version} with Go (once, a minute or two)`);
  return installServer(natsServer, {
    make: async (folder) => {
      const module = `github.com/nats-io/nats-server/v2@v${release.version}`;
      const env = { ...goEnvironment, GOBIN: folder };
      await runCommand("go", ["install", module], { limitMs: buildMs, env });
      return join(folder, natsServer.name);
    },
    source: `Go module v${release.version}`,
    log,
  });
}

async function takeFromDebian(log) {
  if (!(await hasDebianTools())) return undefined;
  log("fetching Debian's nats-server package (once)");
  return installServer(natsServer, {
    make: async (folder) => {
      const usr = join(await unpackDebianPackage("nats-server", folder), "usr");
      // Debian's releases differ in which of the two they use.
      const [inSbin, inBin] = ["sbin", "bin"].map((part) => join(usr, part, natsServer.name));
      return (await isExecutable(inSbin)) ? inSbin : inBin;
    },
    source: "Debian package",
    log,
  });
}

await runAsCommand(import.meta.url, findNatsServer);
