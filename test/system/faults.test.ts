/** What users are promised when processes die: nothing accepted is lost, nothing appears twice. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type StreamRenderResponse, TaskState } from "@zfarm/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { childrenOf, type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

/** Long enough to be hit in the middle. */
const slow = { prompt: "a blue boat on the left", width: 512, height: 512, steps: 50, seed: 7n };
/** Short, for load. */
const quick = { prompt: "a red house", width: 128, height: 128, steps: 2 };

type EventKind = NonNullable<StreamRenderResponse["event"]>["$case"];

describe.skipIf(!(await hasNatsServer()))("a farm whose processes die", () => {
  let farm: FarmUnderTest;

  beforeAll(async () => {
    farm = await startFarm({ workers: 2 });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  /** Renders the slow picture and does something to the worker that is in the middle of it. */
  async function renderAndHit(seed: bigint, hit: (worker: string) => Promise<void>) {
    const kinds: EventKind[] = [];
    let hits = 0;
    let worker = "";
    for await (const { task, event } of farm.client.streamRender({ ...slow, seed })) {
      if (event === undefined) continue;
      kinds.push(event.$case);
      if (event.$case === "started") worker = event.value.worker;
      if (event.$case === "step" && event.value.index >= 3 && hits === 0) {
        hits += 1;
        await hit(worker);
      }
      if (event.$case === "completed") return { task, kinds, hits, worker, image: event.value };
    }
    throw new Error("the stream ended without a picture");
  }

  async function expectOneVisiblePicture(task: string, sha256: string, uri: string) {
    const job = task.replace(/\/tasks\/\d+$/, "");
    const ended = [];
    for await (const { event } of farm.client.watchJob(job)) {
      if (event?.$case === "taskEnded") ended.push(event.value);
    }
    expect(ended).toHaveLength(1);
    expect(ended[0]?.state).toBe(TaskState.SUCCEEDED);
    const bytes = await readFile(fileURLToPath(uri));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
    expect(await farm.objectsOf(job)).toHaveLength(1);
    return ended[0];
  }

  test("a worker killed in the middle of a render is replaced by another", async () => {
    const before = await farm.pid("worker-1");
    const { task, hits, worker, image } = await renderAndHit(11n, (name) =>
      farm.kill(name.replace("workers/", "")),
    );

    expect(hits).toBe(1);
    expect(worker).not.toBe("");
    const outcome = await expectOneVisiblePicture(task, image.sha256, image.uri);
    expect(outcome?.attempt).toBe(2);
    expect(before).toBeGreaterThan(0);
  });

  test("an engine killed in the middle of a render leaves its worker alive", async () => {
    let killed = { worker: "", pid: 0 };
    const { task, image } = await renderAndHit(12n, async (name) => {
      const pid = await farm.pid(name.replace("workers/", ""));
      const [engine] = await childrenOf(pid);
      killed = { worker: name.replace("workers/", ""), pid };
      process.kill(engine ?? -1, "SIGKILL");
    });

    const outcome = await expectOneVisiblePicture(task, image.sha256, image.uri);
    expect(outcome?.attempt).toBe(2);
    expect(await farm.pid(killed.worker)).toBe(killed.pid);
  });

  test("the same spec gives the same bytes, whoever drew it and whatever died", async () => {
    const first = await farm.client.renderImage({ ...slow, steps: 4, seed: 5n });
    const second = await farm.client.renderImage({ ...slow, steps: 4, seed: 5n });

    expect(second.image?.sha256).toBe(first.image?.sha256);
  });

  test("nats-server killed under load loses no accepted task and doubles none", async () => {
    const images = Array.from({ length: 30 }, (_, index) => ({ ...quick, seed: BigInt(index) }));
    const first = await farm.client.createJob({ images });
    await farm.kill("nats-server");
    const second = await farm.client.createJob({ images });

    for (const job of [first, second]) {
      const seen = await endedIndices(job.name, async (count) => {
        if (count === 3 && job === second) await farm.kill("nats-server");
      });
      expect(seen.toSorted((a, b) => a - b)).toEqual(images.map((_, index) => index));
    }
  });

  test("a gateway killed under a watch is resumed without a gap or a repeat", async () => {
    const images = Array.from({ length: 24 }, (_, index) => ({ ...quick, seed: BigInt(index) }));
    const job = await farm.client.createJob({ images });

    const seen = await endedIndices(job.name, async (count) => {
      if (count === 4) await farm.kill("gateway");
    });

    expect(seen.toSorted((a, b) => a - b)).toEqual(images.map((_, index) => index));
  });

  test("a scheduler killed with work in hand loses nothing", async () => {
    const images = Array.from({ length: 24 }, (_, index) => ({ ...quick, seed: BigInt(index) }));
    const job = await farm.client.createJob({ images });

    const seen = await endedIndices(job.name, async (count) => {
      if (count === 4) await farm.kill("scheduler");
    });

    expect(seen.toSorted((a, b) => a - b)).toEqual(images.map((_, index) => index));
  });

  /** Task indices in the order their outcomes were seen; all must have succeeded. */
  async function endedIndices(name: string, onCount: (count: number) => Promise<void>) {
    const seen: number[] = [];
    for await (const { event } of farm.client.watchJob(name)) {
      if (event?.$case !== "taskEnded") continue;
      expect(event.value.state).toBe(TaskState.SUCCEEDED);
      seen.push(Number(event.value.name.split("/").at(-1)));
      await onCount(seen.length);
    }
    return seen;
  }

  test("logs are left where the farm said", async () => {
    const log = await readFile(join(farm.dataDir, "logs", "gateway.log"), "utf8");

    expect(log.split("\n").length).toBeGreaterThan(5);
    expect(log).not.toContain(quick.prompt);
  });
});
