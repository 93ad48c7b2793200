/**
 * Brings a fresh machine to the point where everything else runs: the packages of the lockfile,
 * Node 24 among them, and on request the servers that tests talk to. Plain JavaScript, because it
 * runs before any package is there, on whatever Node the machine has.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stampFile = join(modules, ".zfarm-setup");
const quiet = process.argv.includes("--quiet");

/** Progress goes to stderr: the last line of stdout belongs to the command that follows. */
function say(text) {
  if (!quiet) process.stderr.write(`${text}\n`);
}

function stop(text) {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(`Node ${process.versions.node} is too old: 20.19 or newer is needed to start.`);
}

/** What an install depends on; a changed lockfile or another platform installs again. */
function stamp() {
  const lock = readFileSync(join(root, "package-lock.json"));
  return createHash("sha256")
    .update(lock)
    .update(`${process.platform}-${process.arch}`)
    .digest("hex");
}

/** The environment without this repo's own binaries: npm must not run on the Node it replaces. */
function plainEnvironment() {
  const path = (process.env.PATH ?? "").split(delimiter);
  return {
    ...process.env,
    PATH: path.filter((part) => !part.startsWith(modules)).join(delimiter),
    // Its install step would download CUDA libraries from a feed that is not a package registry.
    ONNXRUNTIME_NODE_INSTALL: "skip",
  };
}

function installPackages() {
  const wanted = stamp();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted) return;

  process.stderr.write("setup: installing packages (once, about a minute)\n");
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    env: plainEnvironment(),
    // npm's own summary must not end up on stdout.
    stdio: ["ignore", 2, 2],
  });
  if (result.error) stop(`npm could not be started: ${result.error.message}`);
  if (result.status !== 0)
    stop(`npm ci failed with exit code ${result.status}; its output is above.`);
  checkPinnedNode();
  writeFileSync(stampFile, wanted);
}

/** npm versions that hold back install scripts leave the pinned Node out; its own script mends it. */
function checkPinnedNode() {
  const node = join(modules, ".bin", "node");
  const runs = () => spawnSync(node, ["--version"]).status === 0;
  if (runs()) return;
  spawnSync("node", ["installArchSpecificPackage"], {
    cwd: join(modules, "node"),
    env: plainEnvironment(),
    stdio: ["ignore", 2, 2],
  });
  if (!runs()) stop("the pinned Node 24 could not be installed for this platform.");
}

/** What the tests run besides the farm; what a machine cannot offer is said, and the tests decide. */
async function installServers() {
  const { findNatsServer } = await import("./servers/nats-server.mjs");
  const { findMinio } = await import("./servers/minio.mjs");
  const { findSpin } = await import("./servers/spin.mjs");
  const { helm } = await import("./servers/helm.mjs");
  const { kubeconform } = await import("./servers/kubeconform.mjs");
  const { natsExporter } = await import("./servers/nats-exporter.mjs");
  const { prometheus, promtool } = await import("./servers/prometheus.mjs");
  const built = [helm, kubeconform, promtool, prometheus, natsExporter].map(({ find }) => find);
  for (const find of [findNatsServer, findMinio, findSpin, ...built]) {
    const found = await find({ fetch: true, log: say });
    if (found) say(`setup: ${found.path} (${found.source})`);
  }
}

/** Apart from the others, because it takes minutes; where it could be built it has to be. */
async function installControlPlane() {
  const { helm3 } = await import("./servers/helm.mjs");
  await helm3.find({ fetch: true, log: say });
  const { canBuildControlPlane, findControlPlane } = await import("./servers/control-plane.mjs");
  const found = await findControlPlane({ fetch: true, log: say });
  if (found) say("setup: a Kubernetes control plane");
  else if (await canBuildControlPlane()) stop("the Kubernetes control plane could not be built.");
}

/** Apart from all others: the operator alone takes as long as the control plane. */
async function installKeda() {
  const { canBuildKeda, findKeda } = await import("./servers/keda.mjs");
  const found = await findKeda({ fetch: true, log: say });
  if (found) say("setup: KEDA's operator and adapter");
  else if (await canBuildKeda()) stop("KEDA could not be built.");
}

/** Apart as well: some hundred modules that nothing else needs. */
async function installStore() {
  const { seaweedfs } = await import("./servers/seaweedfs.mjs");
  const found = await seaweedfs.find({ fetch: true, log: say });
  if (found) say(`setup: ${found.path} (${found.source})`);
  else if (await seaweedfs.canBuild()) stop("SeaweedFS could not be built.");
}

checkNode();
installPackages();
if (process.argv.includes("--servers")) await installServers();
if (process.argv.includes("--kubernetes")) await installControlPlane();
if (process.argv.includes("--keda")) await installKeda();
if (process.argv.includes("--store")) await installStore();
