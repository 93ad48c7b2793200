import { JobState, limits, type Task, TaskState, taskIdOf } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm } from "../test/test-farm.ts";

const images = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ prompt: `house ${index}`, seed: BigInt(index) }));

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("JobService", () => {
  let farm: TestFarm;
  beforeEach(async () => {
    farm = await openTestFarm();
  });
  afterEach(async () => {
    await farm.stop();
  });

  test("a created job is stored whole, in order, with every default filled in", async () => {
    const job = await farm.client.createJob({ images: images(100), displayName: "houses" });

    expect(job).toMatchObject({ displayName: "houses", pool: "default", state: JobState.QUEUED });
    expect(job.counts).toMatchObject({ total: 100, pending: 100 });
    const stored = (await farm.queued()).map(({ task }) => task.spec);
    expect(stored.map((spec) => spec?.index).toSorted((a = 0, b = 0) => a - b)).toEqual([
      ...Array(100).keys(),
    ]);
    expect(stored.every((spec) => spec?.image?.width === 256)).toBe(true);
  });

  test("validate_only says what would be created and creates nothing", async () => {
    const job = await farm.client.createJob({ images: images(3), validateOnly: true });

    expect(job).toMatchObject({ name: "", counts: { total: 3, pending: 3 } });
    expect(await farm.queued()).toEqual([]);
  });

  test("counts come from outcomes and from the leader", async () => {
    const job = await farm.client.createJob({ images: images(5) });
    const [first, second, third] = await farm.take(3);
    if (first && second && third) {
      await farm.succeed(first);
      await farm.fail(second, "OOM");
      farm.live = [
        { index: third.index, position: 0, worker: "one", attempt: 1, step: 2 },
        { index: 4, position: 1, worker: "", attempt: 0, step: 0 },
      ];
    }

    const { state, counts } = await farm.client.getJob(job.name);

    expect(state).toBe(JobState.RUNNING);
    expect(counts).toMatchObject({ pending: 2, running: 1, succeeded: 1, failed: 1 });
  });

  test("lists tasks page by page, each once and in order", async () => {
    const job = await farm.client.createJob({ images: images(25) });
    for (const task of (await farm.take(25)).filter(({ index }) => index % 2 === 0)) {
      await farm.succeed(task);
    }

    const tasks = await collect<Task>(farm.client.listTasks(job.name, { pageSize: 10 }));

    expect(tasks.map(({ name }) => Number(name.split("/").at(-1)))).toEqual([...Array(25).keys()]);
    expect(tasks.map(({ spec }) => spec?.seed)).toEqual(images(25).map(({ seed }) => seed));
    expect(tasks[4]).toMatchObject({ state: TaskState.SUCCEEDED, worker: "scripted" });
    expect(tasks[4]?.image?.uri).not.toBe("");
    expect(tasks[5]).toMatchObject({ state: TaskState.PENDING });
  });

  test("cancel ends what has not ended, and is harmless when repeated", async () => {
    const job = await farm.client.createJob({ images: images(10) });
    const [first] = await farm.take();
    if (first !== undefined) await farm.succeed(first);

    const canceled = await farm.client.cancelJob(job.name);
    const again = await farm.client.cancelJob(job.name);

    expect(canceled.state).toBe(JobState.CANCELED);
    expect(canceled.counts).toMatchObject({ succeeded: 1, canceled: 9, pending: 0 });
    expect(again).toEqual(canceled);
    const tasks = await collect(farm.client.listTasks(job.name));
    expect(tasks.map(({ spec }) => spec?.prompt)).toEqual(images(10).map(({ prompt }) => prompt));
  });

  test("a job nobody created is NOT_FOUND, in every project but its own too", async () => {
    const job = await farm.client.createJob({ images: images(1) });
    const foreign = job.name.replace("default", "other");

    await expect(farm.client.getJob(foreign)).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
    await expect(farm.client.cancelJob(foreign)).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
  });
});

describe("without a leader", () => {
  test("jobs are readable, running tasks count as pending, workers are unknown", async () => {
    const farm = await openTestFarm({ leader: false });
    const job = await farm.client.createJob({ images: images(2) });

    expect(job.counts).toMatchObject({ total: 2, pending: 2, running: 0 });
    const error = await farm.client.listWorkers({ timeoutMs: 500 }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "NO_LEADER", retryAfterMs: limits.retryAfterMs });
    await farm.stop();
  });
});

describe("admission", () => {
  test("a retry of the same request is the same job, however many come at once", async () => {
    const farm = await openTestFarm();
    const request = { images: images(40), requestId: "r-1" };

    const jobs = await Promise.all(Array.from({ length: 6 }, () => farm.client.createJob(request)));
    for (const task of await farm.take(40)) await farm.succeed(task);
    const late = await farm.client.createJob(request);

    expect(new Set([...jobs, late].map(({ name }) => name)).size).toBe(1);
    expect(late).toMatchObject({ state: JobState.SUCCEEDED, counts: { succeeded: 40 } });
    expect(await farm.queued()).toEqual([]);
    await farm.stop();
  });

  test("a request that finds the queue full leaves nothing and may be sent again", async () => {
    const farm = await openTestFarm({ bounds: { queueTasksMax: 10, bundleTasksMax: 1 } });
    const blocking = await farm.client.createJob({ images: images(10) });
    const request = { images: images(5), requestId: "r-2" };

    for (let tries = 0; tries < 2 * limits.admitGenerationsMax; tries += 1) {
      const error = await farm.client.createJob(request).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "QUEUE_FULL", retryAfterMs: limits.queueFullRetryMs });
    }
    await endAll(farm, blocking.name);

    expect(await farm.client.createJob(request)).toMatchObject({ counts: { pending: 5 } });
    await farm.stop();
  });

  test("refused halfway, nothing of it runs, and the same id starts over", async () => {
    const farm = await openTestFarm({ bounds: { queueTasksMax: 10, bundleTasksMax: 1 } });
    const blocking = await farm.client.createJob({ images: images(7) });
    const request = { images: images(5), requestId: "r-3" };

    await expect(farm.client.createJob(request)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    const halfway = (await farm.queued()).flatMap(({ task }) => task.spec ?? []).slice(7);
    expect(halfway.length).toBeGreaterThan(0);
    for (const task of halfway) {
      // Its outcome stands, so whoever leads removes the message and no worker's result counts.
      expect(await farm.broker.outcomes.find(taskIdOf(task))).toBeDefined();
    }
    await endAll(farm, blocking.name);

    const job = await farm.client.createJob(request);
    expect(job).toMatchObject({ state: JobState.QUEUED, counts: { total: 5, pending: 5 } });
    expect(job.name).not.toContain(halfway[0]?.job ?? "");
    expect((await farm.client.createJob(request)).name).toBe(job.name);
    await farm.stop();
  });
});

/** Empties the queue as a leader would once every task has its outcome. */
async function endAll(farm: TestFarm, name: string): Promise<void> {
  await farm.client.cancelJob(name);
  for (const { revision } of await farm.queued()) await farm.broker.queue.remove(revision);
}
