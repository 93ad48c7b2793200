/** A farm that keeps manifests loses its broker with everything in it, and no accepted task. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { JobState, type Task, TaskState } from "@zfarm/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const quick = { prompt: "a red house", width: 128, height: 128, steps: 2 };
const images = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...quick, seed: BigInt(index) }));

describe.skipIf(!(await hasNatsServer()))("a farm with manifests whose broker is lost", () => {
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

  /** Everything that the server has on its disk, and then the server itself. */
  async function loseBroker(): Promise<void> {
    await rm(join(farm.dataDir, "nats"), { recursive: true, force: true });
    await farm.kill("nats-server");
  }

  test("finishes every task by itself, and none a second time", async () => {
    const before = await farm.client.createJob({ images: images(4), displayName: "before" });
    for await (const { event } of farm.client.watchJob(before.name)) {
      if (event?.$case === "jobEnded") break;
    }
    const canceled = await farm.client.createJob({ images: images(200), requestId: "canceled" });
    await farm.client.cancelJob(canceled.name);
    const during = await farm.client.createJob({ images: images(60), requestId: "during" });
    let ended = 0;
    for await (const { event } of farm.client.watchJob(during.name)) {
      if (event?.$case === "taskEnded") ended += 1;
      if (ended === 12) break;
    }
    const done = (await tasksOf(during.name)).filter(({ state }) => state === TaskState.SUCCEEDED);
    expect(done.length).toBeGreaterThanOrEqual(12);

    await loseBroker();

    // The client's own retries carry it over the time in which nobody answers.
    const again = await farm.client.createJob({ images: images(60), requestId: "during" });
    expect(again.name).toBe(during.name);
    for await (const { event } of farm.client.watchJob(during.name)) {
      if (event?.$case === "jobEnded") expect(event.value.state).toBe(JobState.SUCCEEDED);
    }
    const after = await tasksOf(during.name);
    expect(after.map(({ state }) => state)).toEqual(images(60).map(() => TaskState.SUCCEEDED));
    for (const task of done) {
      const same = after.find(({ name }) => name === task.name);
      expect(same?.image?.uri).toBe(task.image?.uri);
      expect(same?.attempt).toBe(task.attempt);
      const index = task.name.split("/").at(-1);
      const files = await farm.objectsOf(during.name);
      expect(files.filter((file) => file.startsWith(`${index}/`))).toHaveLength(1);
    }
    expect(await farm.client.getJob(before.name)).toMatchObject({
      displayName: "before",
      counts: { succeeded: 4 },
    });
    const afterCancel = await farm.client.getJob(canceled.name);
    expect(afterCancel.counts?.pending).toBe(0);
    expect(afterCancel.state).toBe(JobState.CANCELED);
  }, 180_000);
});
