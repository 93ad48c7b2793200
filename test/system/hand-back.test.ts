/** A worker that is told to stop in the middle of a picture: another one goes on with it. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const steps = 50;
const slow = { prompt: "a castle", width: 512, height: 512, steps, seed: 5n };

describe.skipIf(!(await hasNatsServer()))("a worker that gets SIGTERM", () => {
  let farm: FarmUnderTest;

  beforeAll(async () => {
    farm = await startFarm({ workers: 2, env: { WORKER_DRAIN_GRACE_MS: "0" } });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  async function render(onStep: (worker: string, index: number) => Promise<void>) {
    const seen: number[] = [];
    const workers: string[] = [];
    for await (const { task, event } of farm.client.streamRender(slow)) {
      if (event?.$case === "started") workers.push(event.value.worker);
      if (event?.$case === "step") {
        seen.push(event.value.index);
        await onStep(workers.at(-1) ?? "", event.value.index);
      }
      if (event?.$case === "completed") return { task, seen, workers, image: event.value };
    }
    throw new Error("the stream ended without a picture");
  }

  test("hands over what it has done: the same bytes, and no step twice", async () => {
    const whole = await render(async () => {});
    let stopped = false;

    const { task, seen, workers, image } = await render(async (worker, index) => {
      if (stopped || index < 5) return;
      stopped = true;
      process.kill(await farm.pid(worker.replace("workers/", "")), "SIGTERM");
    });

    expect(image.sha256).toBe(whole.image.sha256);
    expect(workers).toHaveLength(2);
    expect(seen).toEqual(Array.from({ length: steps }, (_, at) => at + 1));
    const [, project = "", , job = ""] = task.split("/");
    const objects = await readdir(join(farm.dataDir, "blobs", project, job, "0"));
    expect(objects.filter((name) => name.endsWith(".latents"))).toHaveLength(1);
  });
});
