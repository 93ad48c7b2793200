/** Adapters through a real farm: from a client's file into pictures, whatever breaks meanwhile. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ImageSpec, loraKey, type Task, TaskState } from "@zfarm/contract";
import { encodePng, type LoraStack, openPipeline, type Pipeline } from "@zfarm/zimage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNanoLora, type NanoLora, nanoDir } from "../nano-loras.ts";
import { childrenOf, type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const size = { prompt: "a red house", width: 128, height: 128, steps: 4 };

/** Adapters of one picture by name, with their weights. */
type Uses = Readonly<Record<string, number>>;

describe.skipIf(!(await hasNatsServer()))("adapters in a farm", () => {
  let folder: string;
  let farm: FarmUnderTest;
  let pipeline: Pipeline;
  const loras = new Map<string, NanoLora>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-test-loras-"));
    farm = await startFarm({ workers: 2, env: { WORKER_THREADS: "1" } });
    pipeline = await openPipeline(nanoDir, { threads: 1 });
    loras.set("red", await createNanoLora());
    loras.set("blue", await createNanoLora({ spelling: "ai-toolkit", rank: 4, layers: [5] }));
    loras.set("lost", await createNanoLora({ rank: 2 }));
    for (const [lora, { bytes }] of loras) {
      const path = join(folder, `${lora}.safetensors`);
      await writeFile(path, bytes);
      await farm.client.loras.upload(path, { lora });
    }
  }, 120_000);
  afterAll(async () => {
    await pipeline.close();
    expect(await farm.stop()).toBe(0);
    await rm(folder, { recursive: true });
  }, 60_000);

  async function submit(pictures: readonly Uses[], steps = size.steps): Promise<string> {
    const images = pictures.map((uses, index) => ({
      ...size,
      steps,
      seed: BigInt(index),
      loras: Object.entries(uses).map(([lora, weight]) => ({ lora, weight })),
    }));
    return (await farm.client.createJob({ images })).name;
  }

  /** Every task of the job, in order, once so many of them have ended. */
  async function untilEnded(job: string, count: number): Promise<Task[]> {
    let ended = 0;
    for await (const { event } of farm.client.watchJob(job)) {
      if (event?.$case === "taskEnded") ended += 1;
      if (ended === count || event?.$case === "jobEnded") break;
    }
    return await Array.fromAsync(farm.client.listTasks(job));
  }

  function digestsOf(uses: Uses): { digest: string; weight: number }[] {
    return Object.entries(uses).map(([name, weight]) => {
      return { digest: loras.get(name)?.digest ?? "", weight };
    });
  }

  /** The file as the library makes it, with no farm. */
  async function drawDirectly(index: number, uses: Uses): Promise<Uint8Array> {
    const spec = { ...size, seed: BigInt(index) };
    const stack: LoraStack = Object.entries(uses).flatMap(([name, strength]) => {
      const adapter = loras.get(name)?.adapter;
      return adapter === undefined ? [] : [{ adapter, strength }];
    });
    const { prompt, seed, steps, width, height } = spec;
    const { name: model, digest: modelDigest } = pipeline.info;
    const plain = { prompt, seed, steps, width, height, model, modelDigest };
    const used = digestsOf(uses);
    const metadata = used.length === 0 ? plain : { ...plain, loras: used };
    return await encodePng(await pipeline.render(spec, { loras: stack }), metadata);
  }

  test("draw what the library draws, byte for byte; one that is lost fails alone", async () => {
    const { digest } = loras.get("lost") ?? {};
    if (digest === undefined) throw new RangeError("no adapter");
    await rm(join(farm.dataDir, "blobs", loraKey(digest)));
    const pictures = [{}, { red: 1 }, { blue: -0.5 }, { red: 1, blue: 0.5 }, { lost: 1 }, {}];

    const tasks = await untilEnded(await submit(pictures), pictures.length);

    const { state, failure } = tasks[4] ?? {};
    expect([state, failure?.reason]).toEqual([TaskState.FAILED, "LORA_MISSING"]);
    expect(failure?.message).toContain(digest);
    for (const [index, uses] of pictures.entries()) {
      if (index === 4) continue;
      const task = tasks[index];
      expect(task?.state).toBe(TaskState.SUCCEEDED);
      expect(usesOf(task?.spec)).toEqual(digestsOf(uses));
      const picture = await readFile(fileURLToPath(task?.image?.uri ?? ""));
      expect(picture.equals(await drawDirectly(index, uses))).toBe(true);
    }
  }, 120_000);

  test("are loaded again by an engine that takes the place of a killed one", async () => {
    const pictures = Array.from({ length: 6 }, () => ({ red: 1, blue: 1 }));
    const job = await submit(pictures, 30);
    await untilEnded(job, 1);

    for (const worker of ["worker-1", "worker-2"]) {
      for (const engine of await childrenOf(await farm.pid(worker))) {
        process.kill(engine, "SIGKILL");
      }
    }

    const tasks = await untilEnded(job, pictures.length);
    expect(tasks.map(({ state }) => state)).toEqual(pictures.map(() => TaskState.SUCCEEDED));
  }, 120_000);
});

/** The adapters of an answered spec: digests, whatever names were asked for. */
function usesOf(spec: ImageSpec | undefined): { digest: string; weight: number | undefined }[] {
  return (spec?.loras ?? []).map(({ lora: digest, weight }) => ({ digest, weight }));
}
