/** Takes one of Debian's packages apart without root: nothing is installed on the machine. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.mjs";
import { ServerBinaryError } from "./server-binary-error.mjs";

const probeMs = 10_000;
const downloadMs = 3 * 60_000;
const unpackMs = 60_000;

/** Whether this machine has Debian's tools at all. */
export async function hasDebianTools() {
  return runCommand("dpkg", ["--print-architecture"], { limitMs: probeMs }).then(
    () => true,
    () => false,
  );
}

/**
 * Downloads a package with apt and unpacks it.
 * @param {string} name
 * @param {string} folder Where everything goes, apt's own state included.
 * @returns {Promise<string>} the folder that holds the package's files as the root of a machine.
 * @throws {ServerBinaryError} a step failed or took too long.
 */
export async function unpackDebianPackage(name, folder) {
  const apt = await prepareApt(folder);
  await runCommand("apt-get", [...apt, "update", "-qq"], { limitMs: downloadMs });
  const download = [...apt, "download", "-qq", name];
  await runCommand("apt-get", download, { limitMs: downloadMs, cwd: folder });
  const archive = (await readdir(folder)).find((file) => file.endsWith(".deb"));
  if (archive === undefined) throw new ServerBinaryError("apt-get download left no package");
  await runCommand("dpkg", ["-x", archive, "root"], { limitMs: unpackMs, cwd: folder });
  return join(folder, "root");
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
