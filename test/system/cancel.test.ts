/** Cancel, whatever the task is doing: queued, running, finished. */
import { JobState, TaskState } from "@zfarm/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const slow = { prompt: "a castle", width: 512, height: 512, steps: 50 };

describe.skipIf(!(await hasNatsServer()))("cancel", () => {
  let farm: FarmUnderTest;

  beforeAll(async () => {
    farm = await startFarm({ workers: 1 });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  test("a queued task never starts and a running one stops between two steps", async () => {
    const images = Array.from({ length: 12 }, (_, index) => ({ ...slow, seed: BigInt(index) }));
    const job = await farm.client.createJob({ images });
    let steps = 0;
    for await (const { event } of farm.client.watchJob(job.name)) {
      if (event?.$case === "progress") steps = Math.max(steps, event.value.step);
      if (event?.$case === "progress" && event.value.step >= 2)
        await farm.client.cancelJob(job.name);
      if (event?.$case === "jobEnded") expect(event.value.state).toBe(JobState.CANCELED);
    }

    expect(steps).toBeGreaterThanOrEqual(2);
    expect(steps).toBeLessThan(50);
    const after = await farm.client.renderImage({ ...slow, width: 128, height: 128, steps: 1 });
    expect(after.image?.sizeBytes).toBeGreaterThan(0n);
  });

  test("what had finished keeps its picture, and a second cancel changes nothing", async () => {
    const job = await farm.client.createJob({ images: [{ ...slow, steps: 1, seed: 1n }] });
    for await (const _ of farm.client.watchJob(job.name));

    const canceled = await farm.client.cancelJob(job.name);
    const again = await farm.client.cancelJob(job.name);

    expect(canceled.state).toBe(JobState.SUCCEEDED);
    expect(again).toEqual(canceled);
    const states = [];
    for await (const task of farm.client.listTasks(job.name)) states.push(task.state);
    expect(states).toEqual([TaskState.SUCCEEDED]);
  });

  test("a caller that leaves takes its render with it", async () => {
    const caller = new AbortController();
    const leave = async () => {
      for await (const { event } of farm.client.streamRender(slow, { signal: caller.signal })) {
        if (event?.$case === "step") caller.abort();
      }
    };

    await expect(leave()).rejects.toThrow();
    const workers = async () => (await farm.client.listWorkers({})).map((worker) => worker.running);
    await expect.poll(workers, { timeout: 20_000 }).toEqual([0]);
  });
});
