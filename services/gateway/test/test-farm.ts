/**
 * A gateway with a real client over loopback and a scripted rest of the farm: no scheduler and no
 * worker run, so that a test decides what becomes of each task, and when.
 */
import { createHash, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobStore, createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, type BrokerBounds, createMemoryFarm, type StoredTask } from "@zfarm/broker";
import { connectFarm, type FarmClient } from "@zfarm/client";
import {
  defaultPool,
  type Explanation,
  FailureBlame,
  imageKey,
  type LiveTask,
  type LoraArchitecture,
  LoraTier,
  type Outcome,
  OutcomeKind,
  type PoolRecord,
  type SchedulerQuery,
  type SchedulerReply,
  type TaskSpec,
  taskIdOf,
  type Worker,
  WorkerState,
} from "@zfarm/contract";
import { createLog, type RunningApp, startApp } from "@zfarm/runtime";
import { wireGateway } from "../src/wire-gateway.ts";
import { plainPool } from "./builders.ts";

/** Of the pool's model: what adapters must fit. */
export const testArchitecture: LoraArchitecture = {
  dim: 32,
  layers: 2,
  refinerLayers: 1,
  ffnDim: 85,
  modulationDim: 32,
};

export const testPool: PoolRecord = {
  ...plainPool,
  rankBudget: 128,
  loraArchitecture: testArchitecture,
};

/** What every scripted worker draws. */
export const testPicture = Buffer.from("not really a PNG");

export interface TestFarmOptions {
  readonly bounds?: Partial<BrokerBounds>;
  /** False: nobody answers questions to the leader. */
  readonly leader?: boolean;
  /** Wraps the broker that the gateway gets, to make it fail. */
  readonly wrap?: (broker: Broker) => Broker;
  readonly drainMs?: number;
  /** In memory where it is not given. */
  readonly blobs?: BlobStore;
}

export async function openTestFarm(options: TestFarmOptions = {}): Promise<TestFarm> {
  const memory = createMemoryFarm({ bounds: options.bounds ?? {} });
  const own = memory.connect();
  const farm = new TestFarm(memory.connect(), options.wrap?.(own) ?? own, options);
  await farm.broker.pools.put(testPool);
  if (options.leader !== false) farm.lead();
  await farm.startGateway(0);
  return farm;
}

export class TestFarm {
  readonly broker: Broker;
  readonly blobs: BlobStore;
  /** Where the gateway lays uploads. */
  readonly uploadDir = join(tmpdir(), `zfarm-gateway-test-${randomBytes(6).toString("hex")}`);
  readonly log: Record<string, unknown>[] = [];
  /** What the leader says about live tasks. */
  live: LiveTask[] = [];
  /** Questions about adapters and queues that came to it. */
  readonly asked: object[] = [];
  /** What it says about why tasks wait. */
  explanations: Explanation[] = [];
  /** Tasks that wait, of any project, as it says; undefined: it does not say. */
  waiting: number | undefined;
  readonly #gatewayBroker: Broker;
  readonly #drainMs: number;
  #gateway: RunningApp | undefined;
  #client: FarmClient | undefined;
  port = 0;

  constructor(broker: Broker, gatewayBroker: Broker, options: TestFarmOptions) {
    this.broker = broker;
    this.blobs = options.blobs ?? createMemoryBlobStore();
    this.#gatewayBroker = gatewayBroker;
    this.#drainMs = options.drainMs ?? 10_000;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get client(): FarmClient {
    this.#client ??= connectFarm({ address: this.address });
    return this.#client;
  }

  async startGateway(port: number): Promise<void> {
    const config = {
      host: "127.0.0.1",
      port,
      reflection: true,
      drainMs: this.#drainMs,
      durability: "stream",
      uploadDir: this.uploadDir,
    } as const;
    const write = (line: string): void => void this.log.push(JSON.parse(line));
    const needs = { broker: this.#gatewayBroker, blobs: this.blobs };
    this.#gateway = startApp({
      name: "gateway",
      log: createLog({ name: "gateway", level: "debug", destination: { write } }),
      wire: async (app) => {
        this.port = (await wireGateway(app, config, needs)).port;
      },
    });
    await this.#gateway.ready;
  }

  async stopGateway(): Promise<void> {
    await this.#gateway?.stop();
  }

  async metrics(): Promise<string> {
    return (await this.#gateway?.registry.metrics()) ?? "";
  }

  async stop(): Promise<void> {
    this.#client?.close();
    await this.stopGateway();
    await rm(this.uploadDir, { recursive: true, force: true });
    await this.broker.drain();
    await this.#gatewayBroker.drain();
  }

  /** The live tasks, oldest first. */
  async queued(): Promise<StoredTask[]> {
    const tasks: StoredTask[] = [];
    const stop = new AbortController();
    for await (const followed of this.broker.queue.follow(stop.signal)) {
      if (followed.kind === "caught-up") break;
      tasks.push(...followed.entries);
    }
    stop.abort();
    return tasks;
  }

  /** Waits for the next `count` live tasks. */
  async take(count = 1): Promise<TaskSpec[]> {
    const tasks: TaskSpec[] = [];
    const stop = new AbortController();
    for await (const followed of this.broker.queue.follow(stop.signal)) {
      const entries = followed.kind === "entries" ? followed.entries : [];
      for (const { task } of entries) if (task.spec !== undefined) tasks.push(task.spec);
      if (tasks.length >= count) break;
    }
    stop.abort();
    return tasks.slice(0, count);
  }

  /** Draws the task as a worker would. */
  async succeed(spec: TaskSpec, picture: Uint8Array = testPicture): Promise<void> {
    const key = imageKey(taskIdOf(spec), 1n);
    await this.blobs.put(key, picture, "image/png");
    const sha256 = createHash("sha256").update(picture).digest("hex");
    await this.#end(spec, {
      kind: OutcomeKind.SUCCEEDED,
      image: {
        key,
        sha256,
        sizeBytes: BigInt(picture.length),
        mediaType: "image/png",
        modelDigest: testPool.modelDigest,
        timings: undefined,
      },
    });
  }

  async fail(spec: TaskSpec, reason: string): Promise<void> {
    const failure = { reason, message: "as scripted", blame: FailureBlame.TASK };
    await this.#end(spec, { kind: OutcomeKind.FAILED, failure });
  }

  step(spec: TaskSpec, index: number, total = 8): void {
    this.broker.progress.publish({
      ...taskIdOf(spec),
      event: { $case: "step", value: { index, total } },
    });
  }

  lead(): void {
    this.broker.queries.serve((query) => this.#answer(query));
  }

  async #end(spec: TaskSpec, fields: Partial<Outcome> & { kind: OutcomeKind }): Promise<void> {
    await this.broker.outcomes.publish({
      spec,
      worker: "scripted",
      fence: 1n,
      attempt: 1,
      endTime: new Date(),
      ...fields,
    });
    await this.#leave(spec);
  }

  /** A message goes with the last of its tasks. */
  async #leave(spec: TaskSpec): Promise<void> {
    const { queue, outcomes } = this.broker;
    const message = await queue.find(defaultPool, taskIdOf(spec));
    const beside = (await this.queued()).filter(({ revision }) => revision === message?.revision);
    const ended = new Set(
      (await outcomes.list(taskIdOf(spec))).map(({ outcome }) => outcome.spec?.index),
    );
    const isLast = beside.every(({ task }) => ended.has(task.spec?.index));
    if (message !== undefined && isLast) await queue.remove(message.revision);
  }

  #answer({ query }: SchedulerQuery): SchedulerReply {
    if (query?.$case === "jobStatus") {
      return { epoch: 1n, reply: { $case: "jobStatus", value: { tasks: this.live } } };
    }
    if (query?.$case === "explain") {
      const { explanations } = this;
      return { epoch: 1n, reply: { $case: "explain", value: { explanations } } };
    }
    if (query?.$case === "victims") {
      const victim = { worker: "workers/one", workLeftSeconds: 0, warmBytes: 0n, reason: "idle" };
      return { epoch: 1n, reply: { $case: "victims", value: { victims: [victim] } } };
    }
    if (query?.$case === "loraResidency" || query?.$case === "prefetch") {
      this.asked.push(query.value);
    }
    if (query?.$case === "loraResidency") {
      const residences = [{ worker: "workers/one", tier: LoraTier.RAM }];
      return { epoch: 1n, reply: { $case: "loraResidency", value: { residences } } };
    }
    if (query?.$case === "prefetch") {
      const value = { workers: ["workers/two"], ready: 1 };
      return { epoch: 1n, reply: { $case: "prefetch", value } };
    }
    if (query?.$case === "projectStatus") {
      const { waiting } = this;
      if (waiting === undefined) return { epoch: 1n, reply: undefined };
      return { epoch: 1n, reply: { $case: "projectStatus", value: { waiting, running: 0 } } };
    }
    if (query?.$case === "queueStats") {
      this.asked.push(query.value);
      return { epoch: 1n, reply: { $case: "queueStats", value: { pools: [] } } };
    }
    if (query?.$case === "scaling") {
      const value = { actuator: "none", pools: [] };
      return { epoch: 1n, reply: { $case: "scaling", value } };
    }
    if (query?.$case === "worker") {
      const [worker] = query.value.worker === "one" ? this.#workers(undefined) : [];
      return { epoch: 1n, reply: { $case: "worker", value: { worker, tasks: [], adapters: [] } } };
    }
    return { epoch: 1n, reply: { $case: "listWorkers", value: { workers: this.#workers(query) } } };
  }

  #workers(query: SchedulerQuery["query"]): Worker[] {
    const worker = {
      name: "workers/one",
      pool: defaultPool,
      state: WorkerState.READY,
      device: "cpu",
      model: "test",
      modelDigest: "digest",
      slots: 1,
      running: 0,
      heartbeatTime: undefined,
    };
    const name = query?.$case === "listWorkers" ? query.value.name : undefined;
    return name === undefined || name === worker.name ? [worker] : [];
  }
}
