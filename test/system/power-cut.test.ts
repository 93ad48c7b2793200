/** The broker loses its power: what was confirmed and not on the disk is kept all the same. */
import { cp, rename } from "node:fs/promises";
import { join } from "node:path";
import { JobState, type Task, TaskState } from "@zfarm/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const quick = { prompt: "a red house", width: 128, height: 128, steps: 2 };
const images = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...quick, seed: BigInt(index) }));

describe.skipIf(!(await hasNatsServer()))("a farm with manifests whose broker loses power", () => {
  let farm: FarmUnderTest;
  beforeAll(async () => {
    farm = await startFarm({ workers: 2, env: { DURABILITY: "manifest" } });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  async function tasksOf(job: string): Promise<Task[]> {
    const tasks: Task[] = [];
    for await (const task of farm.client.listTasks(job)) tasks.push(task);
    return tasks;
  }

  async function untilEnded(job: string, count: number): Promise<void> {
    const ended = new Set<string>();
    for await (const { event } of farm.client.watchJob(job)) {
      if (event?.$case === "taskEnded") ended.add(event.value.name);
      if (ended.size >= count || event?.$case === "jobEnded") return;
    }
  }

  /** What is on the disk now is all that the server will have; everything newer is gone. */
  async function cutPower(): Promise<() => Promise<void>> {
    const store = join(farm.dataDir, "nats");
    const synced = join(farm.dataDir, "nats-synced");
    await cp(store, synced, { recursive: true });
    return async () => {
      // The server goes on with what it has open, and starts again with what stands there.
      await rename(store, join(farm.dataDir, "nats-lost"));
      await rename(synced, store);
      await farm.kill("nats-server");
    };
  }

  test("loses no task and no change, and draws none again that was told to be done", async () => {
    const running = await farm.client.createJob({ images: images(40), requestId: "running" });
    const held = await farm.client.createJob({ images: images(30), requestId: "held" });
    await untilEnded(running.name, 6);
    const losePower = await cutPower();
    await farm.client.pauseJob(held.name);
    const late = await farm.client.createJob({ images: images(8), requestId: "late" });
    await untilEnded(running.name, 14);
    const told = (await tasksOf(running.name)).filter(({ state }) => state === TaskState.SUCCEEDED);
    expect(told.length).toBeGreaterThanOrEqual(14);

    await losePower();

    // Every process that had seen more ends and starts again.
    const again = () => farm.client.createJob({ images: images(8), requestId: "late" });
    const nameOrNone = () =>
      again().then(
        ({ name }) => name,
        () => undefined,
      );
    await expect.poll(nameOrNone, { timeout: 60_000 }).toBe(late.name);
    await untilEnded(late.name, 8);
    await untilEnded(running.name, 40);
    const after = await tasksOf(running.name);
    expect(after.map(({ state }) => state)).toEqual(images(40).map(() => TaskState.SUCCEEDED));
    for (const task of told) {
      const same = after.find(({ name }) => name === task.name);
      expect(same?.image?.uri).toBe(task.image?.uri);
      expect(same?.attempt).toBe(task.attempt);
    }
    const files = await farm.objectsOf(running.name);
    const indexes = told.map(({ name }) => name.split("/").at(-1));
    for (const index of indexes) {
      expect(files.filter((file) => file.startsWith(`${index}/`))).toHaveLength(1);
    }
    await expect
      .poll(async () => (await farm.client.getJob(held.name)).state, { timeout: 30_000 })
      .toBe(JobState.PAUSED);
    await farm.client.resumeJob(held.name);
    await untilEnded(held.name, 30);
    expect((await farm.client.getJob(held.name)).state).toBe(JobState.SUCCEEDED);
  }, 180_000);
});
