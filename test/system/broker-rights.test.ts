/**
 * Every process of a farm with the rights that the chart gives it on the broker, and no others:
 * they are enough for all that clients and operators can ask for, and they hold against a service
 * that turned against the farm.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { JobState, shardOf } from "@zfarm/contract";
import { findFreePort } from "@zfarm/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { isReady, metricOf } from "../chaos/farm/probe.ts";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { type BrokerOfChart, cliEntry, startBrokerOfChart } from "../chart/broker-of-chart.ts";
import { helmAtHand } from "../chart/render-chart.ts";
import { createNanoLora, nanoDir } from "../nano-loras.ts";
import { repositoryRoot } from "../repository.ts";
import { hasNatsServer } from "./farm.ts";

const shards = 2;
const small = { prompt: "a red house", width: 128, height: 128, steps: 2 };
const images = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...small, seed: BigInt(index) }));
const names = Array.from({ length: 20 }, (_, index) => `studio-${index}`);
const parents = [0, 1].map((shard) => {
  return `projects/${names.find((name) => shardOf(name, shards) === shard)}`;
});
const canRun = helmAtHand !== undefined && (await hasNatsServer());

describe.runIf(canRun)("a farm whose services have rights of their own", () => {
  let folder: string;
  let broker: BrokerOfChart;
  let client: FarmClient;
  const processes: ManagedProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-rights-"));
    broker = await startBrokerOfChart(folder, { pools: ["default"], shards });
    await bootstrap();
    const port = await findFreePort();
    const gateway = { GATEWAY_HOST: "127.0.0.1", GATEWAY_PORT: String(port) };
    const worker = { MODEL_DIR: nanoDir, WORKER_ID: "worker-1", WORKER_THREADS: "1" };
    start("scheduler", "scheduler-1", { SCHEDULER_ID: "scheduler-1" });
    start("scheduler", "scheduler-2", { SCHEDULER_ID: "scheduler-2" });
    start("gateway", "gateway", { ...gateway, GATEWAY_UPLOAD_DIR: join(folder, "uploads") });
    start("gpu-worker", "worker", { ...worker, WORKER_LORA_DIR: join(folder, "loras") });
    await Promise.all(processes.map((each) => each.ready()));
    client = connectFarm({ address: `127.0.0.1:${port}` });
  }, 120_000);
  afterAll(async () => {
    client?.close();
    await Promise.all(processes.map((each) => each.stop()));
    await broker?.server.stop();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  function envOf(user: string): NodeJS.ProcessEnv {
    return {
      PATH: process.env["PATH"],
      NATS_URL: broker.server.url,
      NATS_CREDS_FILE: broker.credentials(user),
      FARM_SHARDS: String(shards),
    };
  }

  async function bootstrap(): Promise<void> {
    const env = { ...envOf("bootstrap"), DURABILITY: "manifest" };
    await promisify(execFile)(process.execPath, [cliEntry, "bootstrap"], { env });
  }

  function start(service: string, name: string, env: NodeJS.ProcessEnv): void {
    const user = service === "gpu-worker" ? "worker-default" : service;
    const each = new ManagedProcess({
      name,
      command: [process.execPath, join(repositoryRoot, `services/${service}/src/main.ts`)],
      env: {
        ...envOf(user),
        NATS_STREAMS: "require",
        DURABILITY: "manifest",
        BLOBS_DIR: join(folder, "blobs"),
        OPS_HOST: "127.0.0.1",
        ...env,
      },
      logFile: join(folder, `${name}.log`),
      restartMs: 500,
      isReady,
    });
    each.start();
    processes.push(each);
  }

  async function untilEnded(job: string): Promise<JobState | undefined> {
    for await (const { event } of client.watchJob(job, { previews: true })) {
      if (event?.$case === "jobEnded") return event.value.state;
    }
    return undefined;
  }

  async function renderBoth(): Promise<(JobState | undefined)[]> {
    const jobs = await Promise.all(
      parents.map((parent) => client.createJob({ parent, images: images(4) })),
    );
    return await Promise.all(jobs.map(({ name }) => untilEnded(name)));
  }

  test("renders for projects of every shard, and shows how", async () => {
    expect(await renderBoth()).toEqual([JobState.SUCCEEDED, JobState.SUCCEEDED]);
    const { image } = await client.renderImage({ ...small, seed: 1n });
    expect(image?.uri).toMatch(/^file:/);
  });

  test("does what clients ask of jobs", async () => {
    const [parent = ""] = parents;
    const { name } = await client.createJob({ parent, images: images(200) });
    await client.pauseJob(name);
    await client.resumeJob(name);
    await client.updateJob(name, { priority: 5 });
    await client.explainJob(name);
    await client.cancelJob(name);
    expect(await untilEnded(name)).toBe(JobState.CANCELED);
    expect(await Array.fromAsync(client.listTasks(name))).toHaveLength(200);
  });

  test("keeps adapters", async () => {
    const path = join(folder, "lora.safetensors");
    await writeFile(path, (await createNanoLora({ rank: 2 })).bytes);
    await client.loras.upload(path, { lora: "red" });
    const lora = { lora: "red", weight: 1 };
    const { image } = await client.renderImage({ ...small, seed: 2n, loras: [lora] });
    expect(image?.uri).toBeDefined();
    const [stored] = await Array.fromAsync(client.loras.list());
    await client.loras.prefetch("red");
    await client.loras.residency("red");
    await client.loras.delete(stored?.name ?? "");
    expect(await Array.fromAsync(client.loras.list())).toEqual([]);
  });

  test("does what operators ask of the fleet", async () => {
    expect((await client.listWorkers()).map(({ name }) => name)).toEqual(["workers/worker-1"]);
    await client.drain("workers/worker-1");
    await client.resume("workers/worker-1");
    await client.forgiveWorker("workers/worker-1");
    await client.listVictims({ pool: "default" });
    await client.updateProjectPolicy(await client.getProjectPolicy(parents[0] ?? ""));
    await client.updatePoolPolicy(await client.getPoolPolicy("pools/default"));
    expect((await client.listPools()).map(({ name }) => name)).toEqual(["pools/default"]);
    await client.lockWorker("workers/worker-1");
    expect((await client.getWorker("workers/worker-1")).worker?.name).toBe("workers/worker-1");
    await client.unlockWorker("workers/worker-1");
    await client.getQueueStatistics();
  });

  test("goes on under another leader", async () => {
    for (const each of processes.slice(0, 2)) {
      const leads = await metricOf(each, "zfarm_scheduler_leader");
      if ((leads ?? 0) > 0) await each.kill({ hold: true });
    }
    for (const each of processes.slice(0, 2)) each.start();
    await waitUntil("the schedulers are ready again", 60_000, async () => {
      return (await Promise.all(processes.map((each) => each.isReady()))).every(Boolean);
    });
    expect(await renderBoth()).toEqual([JobState.SUCCEEDED, JobState.SUCCEEDED]);
  });

  test("comes back from its manifests after its broker lost everything", async () => {
    const [parent = ""] = parents;
    const { name } = await client.createJob({ parent, images: images(2) });
    await untilEnded(name);
    const starts = processes.map((each) => each.starts);

    await broker.server.restart({ forget: true });
    // What was lost is noticed first: a process that went on would believe in streams of before.
    await waitUntil("every process has ended", 60_000, () =>
      processes.every((each, index) => each.starts > (starts[index] ?? 0)),
    );
    await bootstrap();
    await waitUntil("the farm is restored", 60_000, async () => {
      return (await Promise.all(processes.map((each) => each.isReady()))).every(Boolean);
    });

    expect((await client.getJob(name)).counts?.succeeded).toBe(2);
    expect(await renderBoth()).toEqual([JobState.SUCCEEDED, JobState.SUCCEEDED]);
  });

  test("was refused nothing by its broker meanwhile", async () => {
    expect(await broker.refusals()).toEqual([]);
  });
});
