/**
 * A farm of real processes to be broken: nats-server, schedulers, gateways, workers over the stub
 * engine. What dies is started again. Everything that happens is written into one history.
 */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { findFreePort } from "@zfarm/runtime";
import { type S3Server } from "@zfarm/testing";
import { findNatsServer } from "../../../tools/servers/nats-server.mjs";
import { repositoryRoot } from "../../repository.ts";
import { History } from "../history/history.ts";
import { ManagedProcess } from "./managed-process.ts";
import { createNatsProcess } from "./nats-process.ts";
import { isReady, metricOf } from "./probe.ts";
import { waitUntil } from "./wait-until.ts";

/** How one process differs from its siblings. */
export interface ProcessChange {
  readonly env?: NodeJS.ProcessEnv;
  /** Put before its command, for example to run it in a network namespace. */
  readonly prefix?: readonly string[];
  /** Where its ops port can be reached; the loopback when absent. */
  readonly opsHost?: string;
}

export interface FarmOptions {
  readonly workers: number;
  readonly gateways?: number;
  readonly schedulers?: number;
  /** Pictures of one worker at a time. */
  readonly slots?: number;
  /** Absent: a folder. */
  readonly s3?: S3Server;
  readonly natsRestartMs?: number;
  readonly natsStoreDir?: string;
  /** Absent: any free one. */
  readonly natsPort?: number;
  readonly blobsDir?: string;
  /** For services of every kind. */
  readonly env?: NodeJS.ProcessEnv;
  /** What is different about a process. */
  readonly change?: (name: string) => ProcessChange;
}

const restartMs = 1_000;
const leaderWithinMs = 30_000;

export async function startChaosFarm(options: FarmOptions): Promise<ChaosFarm> {
  const binary = await findNatsServer();
  if (binary === undefined) throw new Error("who starts a farm asked for a nats-server before");
  const folder = await mkdtemp(join(tmpdir(), "zfarm-chaos-"));
  await mkdir(join(folder, "logs"));
  const ports = { nats: options.natsPort ?? (await findFreePort()), gateways: [] as number[] };
  for (let count = 0; count < (options.gateways ?? 1); count += 1) {
    ports.gateways.push(await findFreePort());
  }
  const farm = new ChaosFarm({ binary: binary.path, folder, ports, options });
  try {
    await farm.start();
    return farm;
  } catch (error) {
    await farm.stop();
    throw error;
  }
}

interface FarmPlace {
  readonly binary: string;
  readonly folder: string;
  readonly ports: { readonly nats: number; readonly gateways: readonly number[] };
  readonly options: FarmOptions;
}

export class ChaosFarm {
  readonly history = new History();
  readonly folder: string;
  readonly nats: ManagedProcess;
  readonly schedulers: readonly ManagedProcess[];
  readonly gateways: readonly ManagedProcess[];
  readonly workers: ManagedProcess[];
  readonly #place: FarmPlace;

  constructor(place: FarmPlace) {
    const { options, folder, ports } = place;
    this.#place = place;
    this.folder = folder;
    this.nats = createNatsProcess({
      binary: place.binary,
      port: ports.nats,
      storeDir: this.natsStoreDir,
      logDir: join(folder, "logs"),
      restartMs: options.natsRestartMs ?? restartMs,
    });
    this.schedulers = names("scheduler", options.schedulers ?? 2).map((name) =>
      this.#service("scheduler", name, { SCHEDULER_ID: name }),
    );
    this.gateways = names("gateway", options.gateways ?? 1).map((name, index) => {
      const env = { GATEWAY_HOST: "127.0.0.1", GATEWAY_PORT: String(ports.gateways[index]) };
      return this.#service("gateway", name, env);
    });
    this.workers = names("worker", options.workers).map((name) => this.createWorker(name));
  }

  get natsUrl(): string {
    return `nats://127.0.0.1:${this.#place.ports.nats}`;
  }

  get natsStoreDir(): string {
    return this.options.natsStoreDir ?? join(this.folder, "nats");
  }

  get blobsDir(): string {
    return this.options.blobsDir ?? join(this.folder, "blobs");
  }

  get options(): FarmOptions {
    return this.#place.options;
  }

  /** Of one gateway, or of all for a client that may go to any of them. */
  address(gateway?: number): string {
    const ports = this.#place.ports.gateways;
    const chosen = gateway === undefined ? ports : [ports[gateway]];
    return `ipv4:${chosen.map((port) => `127.0.0.1:${port}`).join(",")}`;
  }

  client(gateway?: number): FarmClient {
    return connectFarm({ address: this.address(gateway) });
  }

  /** Another worker, not started and not in `workers`; its name may be one that is taken. */
  createWorker(name: string, change: ProcessChange = {}): ManagedProcess {
    const entry = join(repositoryRoot, "test/chaos/processes/worker.ts");
    return this.#process(name, entry, {
      ...change,
      env: {
        WORKER_ID: name,
        WORKER_SLOTS: String(this.options.slots ?? 1),
        MODEL_DIR: "stub",
        ...change.env,
      },
    });
  }

  async start(): Promise<void> {
    this.nats.start();
    await this.nats.ready();
    const services = [...this.schedulers, ...this.gateways, ...this.workers];
    for (const service of services) service.start();
    await Promise.all(services.map((service) => service.ready()));
    if (this.schedulers.length > 0) await this.leader();
  }

  /** The scheduler that leads now. */
  leader(): Promise<ManagedProcess> {
    return waitUntil("a scheduler leads", leaderWithinMs, () => this.findLeader());
  }

  async findLeader(): Promise<ManagedProcess | undefined> {
    for (const scheduler of this.schedulers) {
      if ((await metricOf(scheduler, "zfarm_scheduler_leader")) === 1) return scheduler;
    }
    return undefined;
  }

  /** Every process is up and ready again, and somebody leads. */
  async heal(): Promise<void> {
    const all = [this.nats, ...this.schedulers, ...this.gateways, ...this.workers];
    for (const each of all) {
      each.thaw();
      each.start();
    }
    await Promise.all(all.map((each) => each.ready()));
    await this.leader();
  }

  fault(fault: string, target: string): void {
    this.history.events.push({ atMs: this.history.now(), kind: "fault", fault, target });
  }

  /** Copies what the processes wrote, to be read after the farm is gone. */
  async keepLogs(folder: string): Promise<void> {
    await cp(join(this.folder, "logs"), folder, { recursive: true });
  }

  async stop(): Promise<void> {
    await Promise.all(this.gateways.map((each) => each.stop()));
    await Promise.all(this.workers.map((each) => each.stop()));
    await Promise.all(this.schedulers.map((each) => each.stop()));
    await this.nats.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #service(service: string, name: string, env: NodeJS.ProcessEnv): ManagedProcess {
    return this.#process(name, join(repositoryRoot, `services/${service}/src/main.ts`), { env });
  }

  #process(name: string, entry: string, own: ProcessChange): ManagedProcess {
    const { options } = this.#place;
    const change = options.change?.(name) ?? {};
    const opsHost = own.opsHost ?? change.opsHost ?? "127.0.0.1";
    const prefix = [...(change.prefix ?? []), ...(own.prefix ?? [])];
    return new ManagedProcess({
      name,
      command: [...prefix, process.execPath, entry],
      env: {
        PATH: process.env["PATH"],
        NATS_URL: this.natsUrl,
        OPS_HOST: opsHost,
        ...storeEnv(options.s3, this.blobsDir),
        ...options.env,
        ...own.env,
        ...change.env,
      },
      logFile: join(this.folder, "logs", `${name}.log`),
      opsHost,
      restartMs,
      isReady,
      onLine: (line) => this.hear(name, line),
    });
  }

  /** Takes into the history what a worker over the stub engine says. */
  hear(worker: string, text: string): void {
    if (!text.startsWith('{"chaos":')) return;
    const line = JSON.parse(text) as ChaosLine;
    const atMs = this.history.now();
    if (line.chaos === "halt") {
      this.history.events.push({ atMs, kind: "halt", worker, point: line.point });
    } else {
      this.history.events.push({ atMs, kind: line.chaos, worker, attempt: line.task });
    }
  }
}

/** What the stub engine and its worker say on stdout. */
type ChaosLine =
  | { readonly chaos: "begin" | "drawn"; readonly task: string }
  | { readonly chaos: "halt"; readonly point: string };

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);
}

function storeEnv(s3: S3Server | undefined, folder: string): NodeJS.ProcessEnv {
  if (s3 === undefined) return { BLOBS_DIR: folder };
  return {
    S3_ENDPOINT: s3.endpoint,
    S3_REGION: s3.region,
    S3_ACCESS_KEY: s3.accessKey,
    S3_SECRET_KEY: s3.secretKey,
  };
}
