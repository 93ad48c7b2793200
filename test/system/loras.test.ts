/** Adapters through a real farm: from the object store into pictures, whatever breaks meanwhile. */
import { join } from "node:path";
import { type BlobStore, openDirectoryBlobStore } from "@zfarm/blobs";
import { type Broker, openBroker, readBrokerConfig } from "@zfarm/broker";
import {
  createJobId,
  defaultPool,
  defaultProject,
  type JobId,
  type LoraRef,
  limits,
  loraKey,
  type Outcome,
  OutcomeKind,
} from "@zfarm/contract";
import { EnvReader, silentLog, systemClock } from "@zfarm/runtime";
import { type NatsServer, startNatsServer } from "@zfarm/testing";
import {
  encodePng,
  type LoraStack,
  openModelDirectory,
  openPipeline,
  type Pipeline,
} from "@zfarm/zimage";
import { loraArchitectureOf } from "@zfarm/zimage/lora";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNanoLora, type NanoLora, nanoDir } from "../nano-loras.ts";
import { childrenOf, type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const size = { prompt: "a red house", width: 128, height: 128, steps: 4 };

describe.skipIf(!(await hasNatsServer()))("adapters in a farm", () => {
  let nats: NatsServer;
  let farm: FarmUnderTest;
  let broker: Broker;
  let blobs: BlobStore;
  let pipeline: Pipeline;
  let red: NanoLora;
  let blue: NanoLora;

  beforeAll(async () => {
    nats = await startNatsServer();
    farm = await startFarm({ workers: 2, env: { NATS_URL: nats.url, WORKER_THREADS: "1" } });
    const config = readBrokerConfig(new EnvReader({ NATS_URL: nats.url }));
    broker = await openBroker(config, { name: "test", clock: systemClock, log: silentLog });
    blobs = await openDirectoryBlobStore(join(farm.dataDir, "blobs"));
    pipeline = await openPipeline(nanoDir, { threads: 1 });
    red = await createNanoLora();
    blue = await createNanoLora({ spelling: "ai-toolkit", rank: 4, layers: [5] });
    for (const { digest, bytes } of [red, blue]) {
      await blobs.put(loraKey(digest), bytes, "application/octet-stream");
    }
  }, 120_000);
  afterAll(async () => {
    await pipeline.close();
    await broker.drain();
    expect(await farm.stop()).toBe(0);
    await nats.stop();
  }, 60_000);

  /** Puts one task for each stack into the queue. */
  async function submit(stacks: readonly LoraRef[][], steps = size.steps): Promise<JobId> {
    const job = createJobId();
    for (const [index, adapters] of stacks.entries()) {
      const image = { ...size, steps, seed: BigInt(index), loras: [] };
      const id = { project: defaultProject, job, index, pool: defaultPool };
      const spec = { ...id, image, createTime: new Date(), stack: { adapters } };
      await broker.queue.add({ spec, attempts: 0 });
    }
    return job;
  }

  /** The outcome of every task, in order. */
  async function untilEnded(job: JobId, count: number): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    const stop = new AbortController();
    const ref = { project: defaultProject, job };
    for await (const followed of broker.outcomes.follow({
      job: ref,
      after: 0n,
      stop: stop.signal,
    })) {
      if (followed.kind === "entry") outcomes.push(followed.entry.outcome);
      if (outcomes.length === count) break;
    }
    stop.abort();
    return outcomes.toSorted((a, b) => (a.spec?.index ?? 0) - (b.spec?.index ?? 0));
  }

  /** The file as the library makes it, with no farm. */
  async function drawDirectly(index: number, stack: readonly LoraRef[]): Promise<Uint8Array> {
    const spec = { ...size, seed: BigInt(index) };
    const loras: LoraStack = stack.map(({ digest, weight }) => {
      const { adapter } = digest === red.digest ? red : blue;
      return { adapter, strength: weight };
    });
    const { prompt, seed, steps, width, height } = spec;
    const { name: model, digest: modelDigest } = pipeline.info;
    const what = { prompt, seed, steps, width, height, model, modelDigest };
    const uses = stack.map(({ digest, weight }) => ({ digest, weight }));
    const metadata = uses.length === 0 ? what : { ...what, loras: uses };
    return await encodePng(await pipeline.render(spec, { loras }), metadata);
  }

  test("are checked by gateways against what the workers say of their model", async () => {
    const { loraArchitecture, rankBudget } = (await broker.pools.find(defaultPool)) ?? {};

    const { config } = (await openModelDirectory(nanoDir)).transformer;
    expect(loraArchitecture).toEqual(loraArchitectureOf(config));
    expect(rankBudget).toBe(limits.loraRanksDefault);
  });

  test("draw what the library draws, byte for byte; one that is missing fails alone", async () => {
    const missing = { ...red.ref, digest: "0a".repeat(32) };
    const half = { ...blue.ref, weight: -0.5 };
    const stacks = [[], [red.ref], [half], [red.ref, half], [missing], []];

    const outcomes = await untilEnded(await submit(stacks), stacks.length);

    expect(outcomes[4]).toMatchObject({
      kind: OutcomeKind.FAILED,
      failure: { reason: "LORA_MISSING" },
    });
    expect(outcomes[4]?.failure?.message).toContain(missing.digest);
    for (const [index, stack] of stacks.entries()) {
      if (index === 4) continue;
      const { kind, image, spec } = outcomes[index] ?? {};
      expect([kind, spec?.stack?.adapters]).toEqual([OutcomeKind.SUCCEEDED, stack]);
      const picture = Buffer.from((await blobs.get(image?.key ?? "none")) ?? []);
      expect(picture.equals(await drawDirectly(index, stack))).toBe(true);
    }
  }, 120_000);

  test("are loaded again by an engine that takes the place of a killed one", async () => {
    const stacks = Array.from({ length: 6 }, () => [red.ref, blue.ref]);
    const job = await submit(stacks, 30);
    await untilEnded(job, 1);

    for (const worker of ["worker-1", "worker-2"]) {
      for (const engine of await childrenOf(await farm.pid(worker)))
        process.kill(engine, "SIGKILL");
    }

    const outcomes = await untilEnded(job, stacks.length);
    expect(outcomes.map(({ kind }) => kind)).toEqual(stacks.map(() => OutcomeKind.SUCCEEDED));
  }, 120_000);
});
