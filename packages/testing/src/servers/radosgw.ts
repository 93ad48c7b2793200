/**
 * A real Ceph object gateway on the loopback: one monitor, one OSD that keeps everything in
 * memory, and the gateway, from Debian's packages. Other servers differ from MinIO most here, so
 * it shows what the S3 store must not lean on. Starting takes some fifteen seconds and 600 MB.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findFreePort, invariant, systemClock } from "@zfarm/runtime";
import type { S3Server } from "./s3-server.ts";

const commands = [
  "ceph",
  "ceph-authtool",
  "ceph-mon",
  "ceph-osd",
  "monmaptool",
  "radosgw",
  "radosgw-admin",
];
const startWithinMs = 120_000;
const lookEveryMs = 100;

/**
 * Whether the tests shall use Ceph: where it is installed, unless RADOSGW=0. RADOSGW=1 insists, so
 * there it throws where a command is missing. Said in one line where it is left out.
 */
export async function hasRadosgwForTests(): Promise<boolean> {
  if (process.env["RADOSGW"] === "0") return false;
  const found = await Promise.all(commands.map(isOnPath));
  const missing = commands.filter((_, index) => found[index] !== true);
  if (missing.length === 0) return true;
  const how = `not found: ${missing.join(" ")} (Debian: apt-get install radosgw ceph-mon ceph-osd)`;
  invariant(process.env["RADOSGW"] !== "1", how);
  process.stderr.write(`\n*** SKIPPED: tests on Ceph's object gateway. ${how} ***\n\n`);
  return false;
}

export async function startRadosgw(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-ceph-"));
  const [monitorPort, port] = [await findFreePort(), await findFreePort()];
  const server = new RunningRadosgw({ folder, monitorPort, port });
  try {
    await server.create();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

interface CephPlace {
  readonly folder: string;
  readonly monitorPort: number;
  readonly port: number;
}

class RunningRadosgw implements S3Server {
  readonly endpoint: string;
  readonly region = "us-east-1";
  readonly accessKey = "zfarm-test";
  readonly secretKey = randomBytes(16).toString("hex");
  readonly #place: CephPlace;
  readonly #daemons: ChildProcess[] = [];
  #gateway: ChildProcess | undefined;
  /** A test runner that dies must not leave servers behind. */
  readonly #onExit = (): void => {
    for (const child of [this.#gateway, ...this.#daemons]) child?.kill("SIGKILL");
  };

  constructor(place: CephPlace) {
    this.#place = place;
    this.endpoint = `http://127.0.0.1:${place.port}`;
    process.once("exit", this.#onExit);
  }

  /** A cluster from nothing: keys, monitor, OSD, a user of the gateway, the gateway. */
  async create(): Promise<void> {
    const { folder, monitorPort } = this.#place;
    const [cluster, osd] = [randomUUID(), randomUUID()];
    for (const name of ["mon", "osd"]) await mkdir(join(folder, name));
    await writeFile(join(folder, "ceph.conf"), configuration(this.#place, cluster));
    await this.#createKeys();
    const address = `[v2:127.0.0.1:${monitorPort}]`;
    const monitors = ["monmaptool", "--create", "--fsid", cluster, "--addv", "a", address, "map"];
    await this.#run(monitors);
    await this.#run(["ceph-mon", "-i", "a", "--mkfs", "--monmap", "map", "--keyring", "keyring"]);
    this.#daemons.push(this.#start(["ceph-mon", "-i", "a", "-f"]));
    await this.#run(["ceph", "osd", "new", osd, "0"]);
    await this.#run(["ceph", "osd", "crush", "add", "osd.0", "1.0", "host=here", "root=default"]);
    await this.#run(["ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd]);
    this.#daemons.push(this.#start(["ceph-osd", "-i", "0", "-f"]));
    const keys = ["--access-key", this.accessKey, "--secret-key", this.secretKey];
    const user = ["user", "create", "--uid", "test", "--display-name", "test", ...keys];
    await this.#run(["radosgw-admin", "-n", "client.rgw", ...user]);
    await this.restart();
  }

  async kill(): Promise<void> {
    await end(this.#gateway, "SIGKILL");
  }

  freeze(): void {
    this.#gateway?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#gateway?.kill("SIGCONT");
  }

  async restart(): Promise<void> {
    await end(this.#gateway, "SIGTERM");
    this.#gateway = this.#start(["radosgw", "-n", "client.rgw", "-f"]);
    await waitForAnswer(this.endpoint, this.#gateway);
  }

  /** Nothing of it is worth keeping, so nothing gets the time to flush. */
  async stop(): Promise<void> {
    for (const child of [this.#gateway, ...this.#daemons]) await end(child, "SIGKILL");
    process.removeListener("exit", this.#onExit);
    await rm(this.#place.folder, { recursive: true, force: true });
  }

  /** The monitor takes over these keys and their rights when it is made. */
  async #createKeys(): Promise<void> {
    const all = "allow *";
    const rights = {
      "mon.": { mon: all },
      "client.admin": { mon: all, osd: all },
      "osd.0": { mon: "allow profile osd", osd: all },
      "client.rgw": { mon: "allow rw", osd: "allow rwx" },
    };
    await this.#run(["ceph-authtool", "--create-keyring", "keyring"]);
    for (const [name, caps] of Object.entries(rights)) {
      const flags = Object.entries(caps).flatMap(([part, right]) => ["--cap", part, right]);
      await this.#run(["ceph-authtool", "keyring", "--gen-key", "-n", name, ...flags]);
    }
  }

  #start([command = "", ...args]: readonly string[]): ChildProcess {
    const { folder } = this.#place;
    return spawn(command, args, {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: folder, CEPH_CONF: join(folder, "ceph.conf") },
      stdio: "ignore",
    });
  }

  async #run(command: readonly string[]): Promise<void> {
    const child = this.#start(command);
    const timer = AbortSignal.timeout(startWithinMs);
    const onLate = (): void => void child.kill("SIGKILL");
    timer.addEventListener("abort", onLate);
    await once(child, "close");
    timer.removeEventListener("abort", onLate);
    invariant(child.exitCode === 0, `${command.slice(0, 3).join(" ")} ended with 0`);
  }
}

/** One OSD without a manager, without copies, and with as few placement groups as Ceph allows. */
function configuration({ folder, monitorPort, port }: CephPlace, cluster: string): string {
  const settings = {
    fsid: cluster,
    "mon host": `v2:127.0.0.1:${monitorPort}`,
    "public network": "127.0.0.0/8",
    keyring: join(folder, "keyring"),
    "run dir": folder,
    "log file": join(folder, "$name.log"),
    "admin socket": "",
    "pid file": "",
    "mon data": join(folder, "mon"),
    "mon allow pool size one": true,
    "mon max pg per osd": 1_000,
    "osd data": join(folder, "osd"),
    "osd objectstore": "memstore",
    "memstore device bytes": 4 * 2 ** 30,
    "osd crush update on start": false,
    "osd crush chooseleaf type": 0,
    "osd pool default size": 1,
    "osd pool default min size": 1,
    "osd pool default pg num": 1,
    "osd pool default pg autoscale mode": "off",
    "rgw frontends": `beast endpoint=127.0.0.1:${port}`,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  return `[global]\n${lines.join("")}`;
}

async function waitForAnswer(endpoint: string, child: ChildProcess): Promise<void> {
  const late = AbortSignal.timeout(startWithinMs);
  while (!late.aborted) {
    invariant(child.exitCode === null, `radosgw runs on, but ended with ${child.exitCode}`);
    const status = await fetch(endpoint, { signal: late }).then(
      (response) => response.status,
      () => undefined,
    );
    if (status === 200) return;
    await systemClock.sleep(lookEveryMs, late);
  }
  invariant(false, `radosgw answers within ${startWithinMs} ms`);
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  child.kill("SIGCONT");
  await exited;
}

async function isOnPath(command: string): Promise<boolean> {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    const isThere = await access(join(folder, command)).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}
