import { type JobRef, taskIdOf } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm } from "../test/test-farm.ts";

const image = Buffer.from([0xff, 0xd8, 1]);
const preview = { $case: "preview", value: { index: 1, total: 8, image } } as const;
const spec = { prompt: "a red house" };

describe("previews", () => {
  let farm: TestFarm;
  let wishes: JobRef[];
  beforeEach(async () => {
    farm = await openTestFarm();
    wishes = [];
    farm.broker.progress.onPreviewWish((job) => wishes.push(job));
  });
  afterEach(async () => {
    await farm.stop();
  });

  test.each([
    [true, ["queued", "step", "preview", "completed"]],
    [false, ["queued", "step", "completed"]],
  ])("of a render come where they are asked for: %s", async (previews, wanted) => {
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const { event } of farm.client.streamRender(spec, { previews })) seen.push(event);
    })();
    const [task] = await farm.take();
    if (task === undefined) expect.fail("no task");

    farm.step(task, 1);
    farm.broker.progress.publish({ ...taskIdOf(task), event: preview });
    await farm.succeed(task);
    await watching;

    expect(seen).toMatchObject(wanted.map(($case) => ({ $case })));
    if (previews) expect(seen).toContainEqual(preview);
    const { project, job } = taskIdOf(task);
    expect(wishes).toEqual(previews ? [{ project, job }] : []);
  });

  test.each([
    [true, ["taskEnded", "preview", "progress", "taskEnded", "jobEnded"]],
    [false, ["taskEnded", "progress", "taskEnded", "jobEnded"]],
  ])("of a job come where they are asked for: %s", async (previews, wanted) => {
    const job = await farm.client.createJob({ images: [spec, spec] });
    const [first, second] = await farm.take(2);
    if (first === undefined || second === undefined) expect.fail("no tasks");
    await farm.succeed(first);

    const seen: string[] = [];
    for await (const { event } of farm.client.watchJob(job.name, { previews })) {
      seen.push(event?.$case ?? "");
      if (event?.$case === "preview")
        expect(event.value).toMatchObject({ step: 1, total: 8, image });
      if (seen.length === 1) {
        farm.broker.progress.publish({ ...taskIdOf(second), event: preview });
        farm.step(second, 2);
      }
      if (event?.$case === "progress") await farm.succeed(second);
    }

    expect(seen).toEqual(wanted);
    expect(wishes).toHaveLength(previews ? 1 : 0);
  });
});
