/** A whole worker over the stub engine, the memory broker and a memory store, in one process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobStore, createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, createMemoryFarm } from "@zfarm/broker";
import { defaultPool, defaultProject, limits, type Outcome } from "@zfarm/contract";
import { type RunningApp, silentLog, startApp } from "@zfarm/runtime";
import type { LoraConfig } from "../src/config.ts";
import { type WiredGpuWorker, wireGpuWorker } from "../src/index.ts";
import { type EngineUnderTest, stubEngine } from "./engine-harness.ts";
import { job, ScriptedLeader, workerUnderTest } from "./scripted-leader.ts";

export interface WorkerUnderTest {
  readonly app: RunningApp;
  readonly wired: WiredGpuWorker;
  readonly farm: ReturnType<typeof createMemoryFarm>;
  readonly leader: ScriptedLeader;
  /** The leader's connection to the broker. */
  readonly broker: Broker;
  readonly blobs: BlobStore;
  /** By task index. */
  outcomes(): Promise<Outcome[]>;
  blobKeys(): Promise<string[]>;
  /** A counter's or gauge's value; 0 before its first change. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

interface WorkerOptions {
  readonly slots?: number;
  readonly durability?: "stream" | "manifest";
  readonly loras?: Partial<LoraConfig>;
  /** Puts something between the worker and its store. */
  readonly wrapBlobs?: (blobs: BlobStore) => BlobStore;
  readonly drainGraceMs?: number;
  /** Absent: the stub. */
  readonly engine?: EngineUnderTest;
  /** What it shares with another worker; absent: all its own. */
  readonly beside?: WorkerUnderTest;
  /** Puts something between the worker and its broker. */
  readonly wrapBroker?: (broker: Broker) => Broker;
}

export async function startWorker(options: WorkerOptions = {}): Promise<WorkerUnderTest> {
  const { slots = 4, durability = "stream", wrapBroker = (broker) => broker } = options;
  const { wrapBlobs = (blobs) => blobs } = options;
  const folder = await mkdtemp(join(tmpdir(), "zfarm-shelf-"));
  const { engine = stubEngine, drainGraceMs = limits.drainGraceMs } = options;
  const farm = options.beside?.farm ?? createMemoryFarm();
  const broker = farm.connect();
  const leader = options.beside?.leader ?? (await ScriptedLeader.start(broker));
  const blobs = options.beside?.blobs ?? createMemoryBlobStore();
  const wired = Promise.withResolvers<WiredGpuWorker>();
  const config = {
    worker: workerUnderTest,
    pool: defaultPool,
    device: "cpu",
    threads: 1,
    sideThreads: undefined,
    slots,
    node: "test-node",
    modelDir: engine.modelDir,
    loras: { folder, diskBytes: 1_000_000, ramBytes: 1_000_000, ranks: 128, ...options.loras },
    durability,
    drainGraceMs,
    ...(engine.entry === undefined ? {} : { engineEntry: engine.entry }),
  } as const;
  const app = startApp({
    name: "gpu-worker",
    log: silentLog,
    wire: async (parts) => {
      await parts.open("folder", Promise.resolve(folder), () => rm(folder, { recursive: true }));
      const needs = { broker: wrapBroker(farm.connect()), blobs: wrapBlobs(blobs) };
      wired.resolve(await wireGpuWorker(parts, config, needs));
    },
  });
  await app.ready;
  return {
    app,
    wired: await wired.promise,
    farm,
    leader,
    broker,
    blobs,
    outcomes: async () => {
      const stored = await broker.outcomes.list({ project: defaultProject, job });
      const outcomes = stored.map(({ outcome }) => outcome);
      return outcomes.toSorted((a, b) => (a.spec?.index ?? 0) - (b.spec?.index ?? 0));
    },
    blobKeys: () => Array.fromAsync(blobs.list(""), ({ key }) => key),
    metric: (name, labels = {}) => readMetric(app, name, labels),
  };
}

async function readMetric(
  app: RunningApp,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  const metric = await app.registry.getSingleMetric(name)?.get();
  const found = metric?.values.find((value) =>
    Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted),
  );
  return found?.value ?? 0;
}
