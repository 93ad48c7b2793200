/**
 * The farm's own processes as they run in production, on a nats-server of their own: what is
 * measured is the product, with its log lines and metrics, and only the workers are simulated.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type Broker, connectNatsBroker } from "@zfarm/broker";
import { defaultPool, type PoolRecord } from "@zfarm/contract";
import { silentLog } from "@zfarm/runtime";
import { type NatsServer, startNatsServer } from "@zfarm/testing";
import { repositoryRoot } from "../repository.ts";

/** A line of a service's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface Service {
  /** The first line with this message, once it is there. */
  line(message: string): Promise<LogLine>;
  /** Processor time that the process has used, in seconds (Linux); NaN of one that is gone. */
  cpuSeconds(): Promise<number>;
  /** Memory that it holds now, in bytes (Linux). */
  residentBytes(): Promise<number>;
  /** SIGKILL. */
  kill(): void;
  stop(): Promise<void>;
}

export interface BenchFarm {
  readonly nats: NatsServer;
  connect(name: string): Promise<Broker>;
  /** @param entry Another one than the product's, from the root of the repository. */
  start(service: "gateway" | "scheduler", env?: NodeJS.ProcessEnv, entry?: string): Service;
  stop(): Promise<void>;
}

const pool: PoolRecord = {
  pool: defaultPool,
  model: "simulated",
  modelDigest: "00",
  sizeMultiple: 16,
  pixelsMax: 1_024 * 1_024,
  stepsDefault: 8,
  widthDefault: 256,
  heightDefault: 256,
};

const startWithinMs = 60_000;

export async function openBenchFarm(): Promise<BenchFarm> {
  const nats = await startNatsServer();
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  const services: Service[] = [];
  const brokers: Broker[] = [];
  const connect = async (name: string): Promise<Broker> => {
    const broker = await connectNatsBroker({ servers: [nats.url], name, log: silentLog });
    brokers.push(broker);
    return broker;
  };
  await (await connect("pools")).pools.put(pool);
  return {
    nats,
    connect,
    start: (service, env = {}, entry = `services/${service}/src/main.ts`) => {
      const settings = { NATS_URL: nats.url, OPS_PORT: "0", BLOBS_DIR: folder, ...env };
      const logFile = join(folder, `${service}-${services.length}.log`);
      const started = startService(entry, logFile, settings);
      services.push(started);
      return started;
    },
    stop: async () => {
      for (const broker of brokers) await broker.drain();
      for (const service of services.toReversed()) await service.stop();
      await nats.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Its log goes to a file: a pipe that this busy process reads late would make the service wait.
 */
function startService(entry: string, logFile: string, env: NodeJS.ProcessEnv): Service {
  const log = openSync(logFile, "w");
  const child = spawn(process.execPath, [join(repositoryRoot, entry)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", log, "inherit"],
  });
  closeSync(log);
  process.once("exit", () => child.kill("SIGKILL"));
  return {
    line: (message) => untilLogged(logFile, message),
    cpuSeconds: () => readCpuSeconds(child.pid ?? 0),
    residentBytes: () => readResidentBytes(child.pid ?? 0),
    kill: () => child.kill("SIGKILL"),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

async function untilLogged(logFile: string, message: string): Promise<LogLine> {
  const deadline = performance.now() + startWithinMs;
  while (performance.now() < deadline) {
    const lines = (await readFile(logFile, "utf8")).split("\n");
    const line = lines.find((text) => text.includes(`"message":"${message}"`));
    if (line !== undefined) return JSON.parse(line) as LogLine;
    await wait(100);
  }
  const log = await readFile(logFile, "utf8");
  throw new Error(`no line "${message}" in ${startWithinMs} ms:\n${log.slice(-4_000)}`);
}

const ticksPerSecond = 100;

export async function readCpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return Number.NaN;
  const [user = "0", system = "0"] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return (Number(user) + Number(system)) / ticksPerSecond;
}

/** 0 where the system does not say. */
export async function readResidentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
