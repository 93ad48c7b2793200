/** A farm of two shards: projects have leaders of their own, and share the workers. */
import { type Job, JobState, shardOf } from "@zfarm/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const quick = { prompt: "a red house", width: 128, height: 128, steps: 2 };
const images = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...quick, seed: BigInt(index) }));
const names = Array.from({ length: 20 }, (_, index) => `studio-${index}`);
const parents = [0, 1].map((shard) => {
  return `projects/${names.find((name) => shardOf(name, 2) === shard)}`;
});

describe.skipIf(!(await hasNatsServer()))("a farm of two shards", () => {
  let farm: FarmUnderTest;
  beforeAll(async () => {
    farm = await startFarm({ workers: 1, env: { FARM_SHARDS: "2", DURABILITY: "manifest" } });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  async function untilEnded({ name }: Job): Promise<Job | undefined> {
    for await (const { event } of farm.client.watchJob(name)) {
      if (event?.$case === "jobEnded") return event.value;
    }
    return undefined;
  }

  test("renders the projects of both with one worker, also after its leaders died", async () => {
    const submit = async () =>
      await Promise.all(
        parents.map((parent) => farm.client.createJob({ parent, images: images(12) })),
      );
    const before = await submit();
    for (const job of await Promise.all(before.map(untilEnded))) {
      expect(job).toMatchObject({ state: JobState.SUCCEEDED, counts: { succeeded: 12 } });
    }

    const during = await submit();
    await farm.kill("scheduler");

    for (const job of await Promise.all(during.map(untilEnded))) {
      expect(job).toMatchObject({ state: JobState.SUCCEEDED, counts: { succeeded: 12 } });
    }
    expect((await farm.client.listWorkers()).map(({ name }) => name)).toEqual(["workers/worker-1"]);
  });

  test("cancels and counts in the shard of the project", async () => {
    const [parent = ""] = parents.slice(1);
    const job = await farm.client.createJob({ parent, images: images(100) });

    await farm.client.cancelJob(job.name);

    const ended = await untilEnded(job);
    expect(ended?.counts?.pending).toBe(0);
    expect((ended?.counts?.canceled ?? 0) > 50).toBe(true);
  });
});
