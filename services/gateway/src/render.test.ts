import { createHash } from "node:crypto";
import { limits, OutcomeKind, taskIdOf } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm, testPicture } from "../test/test-farm.ts";

const spec = { prompt: "a red house" };

describe("RenderImage", () => {
  let farm: TestFarm;
  beforeEach(async () => {
    farm = await openTestFarm();
  });
  afterEach(async () => {
    await farm.stop();
  });

  test("answers with the picture, its digest and the spec that was used", async () => {
    const rendering = farm.client.renderImage({ ...spec, seed: 42n });
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);

    const { image, task: name } = await rendering;

    expect(name).toMatch(/^projects\/default\/jobs\/[a-z2-7]{26}\/tasks\/0$/);
    expect(image?.spec).toMatchObject({ ...spec, width: 256, height: 256, steps: 8, seed: 42n });
    expect(image?.sha256).toBe(createHash("sha256").update(testPicture).digest("hex"));
    expect(image?.data).toHaveLength(0);
    expect(image?.uri).not.toBe("");
  });

  test("draws a seed where the client names none, and tells it", async () => {
    const renderings = [farm.client.renderImage(spec), farm.client.renderImage(spec)];
    for (const task of await farm.take(2)) await farm.succeed(task);

    const seeds = (await Promise.all(renderings)).map(({ image }) => image?.spec?.seed);

    expect(new Set(seeds).size).toBe(2);
    expect(seeds.every((seed) => typeof seed === "bigint")).toBe(true);
  });

  test("puts the bytes into the answer where asked", async () => {
    const rendering = farm.client.renderImage(spec, { includeData: true });
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);

    expect((await rendering).image?.data.equals(testPicture)).toBe(true);
  });

  test("refuses to inline a picture that is too large or not what was stored", async () => {
    const large = farm.client.renderImage(spec, { includeData: true });
    const [first] = await farm.take();
    if (first !== undefined)
      await farm.succeed(first, Buffer.alloc(limits.inlineImageBytesMax + 1));
    await expect(large).rejects.toMatchObject({ code: "TOO_LARGE" });

    const requestId = "again";
    const kept = farm.client.renderImage(spec, { requestId });
    const [second] = await farm.take();
    if (second !== undefined) await farm.succeed(second);
    await kept;
    const key = `${second?.project}/${second?.job}/0/1.png`;
    await farm.blobs.put(key, Buffer.from("something else"), "image/png");
    const changed = farm.client.renderImage(spec, { requestId, includeData: true });
    await expect(changed).rejects.toMatchObject({ code: "OBJECT_CORRUPT" });
    await farm.blobs.remove(key);
    const gone = farm.client.renderImage(spec, { requestId, includeData: true });
    await expect(gone).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  });

  test.each([
    ["PROMPT_TOO_LONG", "PROMPT_TOO_LONG"],
    ["WORKER_LOST", "TASK_FAILED"],
  ])("a task that failed with %s is %s", async (reason, code) => {
    const rendering = farm.client.renderImage(spec);
    const [task] = await farm.take();
    if (task !== undefined) await farm.fail(task, reason);

    await expect(rendering).rejects.toMatchObject({ code });
  });

  test("the same request id gives the same picture and publishes nothing new", async () => {
    const first = farm.client.renderImage(spec, { requestId: "one" });
    const second = farm.client.renderImage(spec, { requestId: "one" });
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);

    expect((await second).task).toBe((await first).task);
    const third = await farm.client.renderImage(spec, { requestId: "one" });
    expect(third).toEqual(await first);
    expect(await farm.queued()).toEqual([]);
    const other = farm.client.renderImage({ prompt: "a blue house" }, { requestId: "one" });
    await expect(other).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });
  });

  test("the same request id gives the same picture at a gateway that did not see it", async () => {
    const first = farm.client.renderImage(spec, { requestId: "one" });
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);
    const drawn = await first;
    await farm.stopGateway();
    await farm.startGateway(farm.port);

    expect(await farm.client.renderImage(spec, { requestId: "one" })).toEqual(drawn);
  });

  test("a caller that leaves takes its task with it", async () => {
    const caller = new AbortController();
    const rendering = farm.client.renderImage(spec, { signal: caller.signal });
    const [task] = await farm.take();
    caller.abort();

    await expect(rendering).rejects.toThrow("aborted");
    const kind = async () =>
      task && (await farm.broker.outcomes.find(taskIdOf(task)))?.outcome.kind;
    await expect.poll(kind).toBe(OutcomeKind.CANCELED);
  });

  test("a deadline that passes cancels the task", async () => {
    const rendering = farm.client.renderImage(spec, { timeoutMs: 150 });
    const [task] = await farm.take();

    await expect(rendering).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const kind = async () =>
      task && (await farm.broker.outcomes.find(taskIdOf(task)))?.outcome.kind;
    await expect.poll(kind).toBe(OutcomeKind.CANCELED);
    expect(task?.expireTime?.getTime()).toBeLessThanOrEqual(Date.now());
  });

  test("a success cancels nothing, although grpc-js calls every ended call cancelled", async () => {
    const rendering = farm.client.renderImage(spec);
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);
    await rendering;

    await farm.client.listWorkers();
    const outcomes = task === undefined ? [] : await farm.broker.outcomes.list(taskIdOf(task));
    expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual([OutcomeKind.SUCCEEDED]);
  });

  test("no line of the log holds a prompt", async () => {
    const prompt = "a very private wish";
    const rendering = farm.client.renderImage({ prompt });
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);
    await rendering;
    await farm.client.renderImage({ prompt: `${prompt}\u0000` }).catch(() => undefined);

    const lines = farm.log.filter(({ method }) => method === "RenderImage");
    expect(lines).toMatchObject([{ code: "OK", prompt_bytes: 19 }, { code: "INVALID_ARGUMENT" }]);
    expect(JSON.stringify(farm.log)).not.toContain("private");
  });
});

describe("StreamRender", () => {
  test("reports where the task stands, each step, and the picture last", async () => {
    const farm = await openTestFarm();
    farm.live = [{ index: 0, position: 3, worker: "", attempt: 0, step: 0 }];
    const seen: string[] = [];
    for await (const { event } of farm.client.streamRender(spec, { includeData: true })) {
      seen.push(event?.$case ?? "");
      if (seen.length > 1) continue;
      const [task] = await farm.take();
      if (task === undefined) continue;
      const id = taskIdOf(task);
      const started = { worker: "one", attempt: 1 };
      farm.broker.progress.publish({ ...id, event: { $case: "started", value: started } });
      for (const step of [1, 2, 3]) farm.step(task, step, 3);
      await farm.succeed(task);
    }

    expect(seen).toEqual(["queued", "started", "step", "step", "step", "completed"]);
    await farm.stop();
  });

  test("a caller that leaves the loop takes its task with it", async () => {
    const farm = await openTestFarm();
    farm.live = [{ index: 0, position: 0, worker: "", attempt: 0, step: 0 }];

    for await (const { event } of farm.client.streamRender(spec)) {
      expect(event).toEqual({ $case: "queued", value: { position: 0 } });
      break;
    }

    const [task] = await farm.take();
    const kind = async () =>
      task && (await farm.broker.outcomes.find(taskIdOf(task)))?.outcome.kind;
    await expect.poll(kind).toBe(OutcomeKind.CANCELED);
    await farm.stop();
  });

  test.each(["started", "step"] as const)(
    "says queued first where %s overtook it",
    async (first) => {
      const farm = await openTestFarm({ leader: false });
      const seen: unknown[] = [];
      const watching = (async () => {
        for await (const { event } of farm.client.streamRender(spec)) seen.push(event);
      })();
      const [task] = await farm.take();
      if (task === undefined) expect.fail("no task");

      const started = { $case: "started", value: { worker: "one", attempt: 1 } } as const;
      if (first === "started") farm.broker.progress.publish({ ...taskIdOf(task), event: started });
      else farm.step(task, 1);
      await farm.succeed(task);
      await watching;

      expect(seen).toMatchObject([
        { $case: "queued", value: { position: 0 } },
        { $case: first },
        { $case: "completed" },
      ]);
      await farm.stop();
    },
  );
});
