/** The object store that the chart brings: its server with the pod's arguments, hook and probe. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "@zfarm/runtime";
import { findToolForTests, type S3Server } from "@zfarm/testing";
import { seaweedfs } from "../../tools/servers/seaweedfs.mjs";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { type Container, podOf, type Rendered, renderChart } from "../chart/render-chart.ts";

const startWithinMs = 60_000;

/**
 * Whether somebody asked for these tests and this machine has the server; what is missing is said
 * loudly. The server takes minutes to build, and so they are asked for.
 */
export async function hasStoreForTests(): Promise<boolean> {
  if (process.env["ZFARM_TEST_STORE"] === "1") {
    return (await findToolForTests(seaweedfs, "seaweedfs.mjs")) !== undefined;
  }
  const how = "run `npm run test:store`";
  process.stderr.write(`\n*** SKIPPED: tests on the chart's object store. ${how} ***\n\n`);
  return false;
}

export interface StoreOptions {
  /** Where it keeps what it stores; a temporary one, which goes with it, by default. */
  readonly folder?: string;
  /** Of its only user; a random one by default. */
  readonly secretKey?: string;
}

export async function startStoreOfChart(options: StoreOptions = {}): Promise<S3Server> {
  const container = containerOf(await renderChart("bundled"));
  const own = await mkdtemp(join(tmpdir(), "zfarm-store-"));
  const { folder = join(own, "data"), secretKey = randomBytes(16).toString("hex") } = options;
  const server = new RunningStore({ container, own, data: folder, secretKey });
  try {
    await server.prepare();
    await server.restart();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The store's container as the chart has it. */
export function containerOf(objects: readonly Rendered[]): Container {
  const isStore = ({ kind, metadata }: Rendered) =>
    kind === "StatefulSet" && metadata.labels?.["app.kubernetes.io/component"] === "store";
  const pod = objects.filter(isStore).map(podOf)[0];
  const [container] = pod?.containers ?? [];
  if (container === undefined) throw new Error("the chart has a store with a container");
  return container;
}

interface StorePlace {
  readonly container: Container;
  readonly own: string;
  readonly data: string;
  readonly secretKey: string;
}

class RunningStore implements S3Server {
  readonly region = "us-east-1";
  readonly accessKey = "zfarm";
  readonly secretKey: string;
  readonly #place: StorePlace;
  readonly #ports = new Map<string, number>();
  #child: ChildProcess | undefined;
  /** A test runner that dies must not leave servers behind. */
  readonly #onExit = (): void => void this.#child?.kill("SIGKILL");

  constructor(place: StorePlace) {
    this.#place = place;
    this.secretKey = place.secretKey;
    process.once("exit", this.#onExit);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#ports.get("s3")}`;
  }

  async prepare(): Promise<void> {
    const { own, data } = this.#place;
    const found = await seaweedfs.find();
    if (found === undefined) throw new Error("who starts the store asked whether it is there");
    await mkdir(data, { recursive: true });
    await symlink(found.path, join(own, "weed"));
    for (const part of ["master", "volume", "filer", "s3"]) {
      this.#ports.set(part, await findFreePort());
      this.#ports.set(`${part}.grpc`, await findFreePort());
    }
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /** The process, the hook that Kubernetes runs beside it, and the probe that both have to pass. */
  async restart(): Promise<void> {
    await this.#end("SIGTERM");
    const { container, own, data } = this.#place;
    const env = {
      PATH: [own, process.env["PATH"]].join(delimiter),
      HOME: own,
      AWS_ACCESS_KEY_ID: this.accessKey,
      AWS_SECRET_ACCESS_KEY: this.secretKey,
    };
    const args = [...container.args, `-dir=${data}`, "-s3.ip.bind=127.0.0.1", ...this.#portFlags()];
    const child = spawn("weed", args, { cwd: data, env, stdio: "ignore" });
    this.#child = child;
    const [command = "", ...words] = container.lifecycle?.postStart?.exec.command ?? [];
    const hook = words.map((word) => this.#withOwnPorts(word));
    await promisify(execFile)(command, hook, { env, timeout: startWithinMs });
    const probe = `${this.endpoint}${container.startupProbe?.httpGet?.path}`;
    await waitUntil("the store answers", startWithinMs, async () => {
      if (child.exitCode !== null) throw new Error(`the store ended with ${child.exitCode}`);
      return fetch(probe).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    process.removeListener("exit", this.#onExit);
    await rm(this.#place.own, { recursive: true, force: true });
  }

  /** Of a pod's own address it may have any port; here others listen too. */
  #portFlags(): string[] {
    return [...this.#ports].map(([part, port]) => {
      const [name, grpc = ""] = part.split(".");
      return `-${name}.port${grpc && `.${grpc}`}=${port}`;
    });
  }

  /** SeaweedFS writes `host:port.grpcPort`. */
  #withOwnPorts(word: string): string {
    const address = (part: string) => `${this.#ports.get(part)}.${this.#ports.get(`${part}.grpc`)}`;
    return word.replace(/\b9333\b/, address("master")).replace(/\b8888\b/, address("filer"));
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    child.kill("SIGCONT");
    await exited;
  }
}
