import { existsSync } from "node:fs";
import { readPngMetadata } from "@zfarm/zimage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createEngine,
  createTask,
  type EngineUnderTest,
  nanoEngine,
  render,
  stubEngine,
} from "../../testing/engine-harness.ts";
import type { EngineEnd, EngineProcess } from "../engine-process.ts";
import type { EngineInfo } from "./protocol.ts";

const engines: EngineUnderTest[] = [
  stubEngine,
  { ...stubEngine, name: "stub that works beside its steps", modelDir: "beside" },
  nanoEngine,
  { ...nanoEngine, name: "z-image-nano with a thread beside it", sideThreads: 1 },
];

describe.each(engines)("an engine over $name", (under) => {
  const stopping = new AbortController();
  const runs: number[] = [];
  let ranMs = 0;
  let engine: EngineProcess;
  let info: EngineInfo;

  beforeAll(async () => {
    engine = createEngine(under, {
      onRun: ({ batchTasks, stepMs }) => {
        runs.push(batchTasks);
        ranMs += stepMs;
      },
    });
    info = await engine.start(stopping.signal);
    void engine.run(stopping.signal);
  });
  afterAll(async () => {
    stopping.abort();
    await engine.close();
  });

  test("announces the model it holds", () => {
    expect(info.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(info.weights).toBe("fp32");
    expect(64 % info.sizeMultiple).toBe(0);
    expect(engine.problem()).toBeUndefined();
  });

  test("tells the start and every step in order", async () => {
    const rendering = render(engine, [createTask("a", { steps: 3 })]);

    await rendering.ends;

    expect(rendering.said).toEqual([
      { started: "a" },
      { task: "a", index: 1, total: 3 },
      { task: "a", index: 2, total: 3 },
      { task: "a", index: 3, total: 3 },
    ]);
  });

  test("gives a PNG that says how it was made", async () => {
    const task = createTask("a", { prompt: "a white tent", seed: 2n ** 63n });

    const end = (await render(engine, [task]).ends).get("a");

    expect(readPngMetadata(pngOf(end))).toMatchObject({
      prompt: "a white tent",
      seed: 2n ** 63n,
      steps: 4,
      width: 64,
      height: 64,
      modelDigest: info.digest,
    });
  });

  test("gives the same bytes alone and in a batch", async () => {
    const alone = await render(engine, [createTask("a")]).ends;
    runs.length = 0;

    const ends = await render(engine, [createTask("a"), createTask("b", { seed: 8n })]).ends;

    expect(pngOf(ends.get("a"))).toEqual(pngOf(alone.get("a")));
    expect(pngOf(ends.get("b"))).not.toEqual(pngOf(alone.get("a")));
    expect(runs).toContain(2);
  });

  test("gives the same bytes whoever joins and leaves meanwhile", async () => {
    const mixed = [
      createTask("a", { steps: 9 }),
      createTask("b", { width: 96 }),
      createTask("c", { steps: 3, seed: 8n }),
    ];
    const alone = new Map<string, EngineEnd | undefined>();
    for (const task of mixed) {
      alone.set(task.task, (await render(engine, [task]).ends).get(task.task));
    }

    const early = render(engine, mixed.slice(0, 1));
    await early.stepped;
    const late = await render(engine, mixed.slice(1)).ends;
    const ends = new Map([...(await early.ends), ...late]);

    for (const { task } of mixed) expect(pngOf(ends.get(task))).toEqual(pngOf(alone.get(task)));
  });

  test("divides the time of every run among the pictures in it", async () => {
    const tasks = ["a", "b", "c", "d"].map((name) => createTask(name));
    ranMs = 0;

    const ends = [...(await render(engine, tasks).ends).values()];

    const timings = ends.flatMap((end) => (end.kind === "finished" ? [end.timings] : []));
    const [{ textEncodeMs } = { textEncodeMs: 0 }] = timings;
    const worked = timings.reduce((sum, { vaeDecodeMs }) => sum + vaeDecodeMs, 0);
    const charged = timings.reduce((sum, { deviceMs }) => sum + deviceMs, 0);
    expect(timings).toHaveLength(4);
    expect(charged).toBeCloseTo(textEncodeMs + ranMs + worked, 6);
  });

  test("gives every task its picture where shapes are mixed", async () => {
    const tasks = [createTask("a"), createTask("b", { width: 96 }), createTask("c")];

    const ends = await render(engine, tasks).ends;

    expect([...ends.keys()].toSorted()).toEqual(["a", "b", "c"]);
    expect(readPngMetadata(pngOf(ends.get("b")))).toMatchObject({ width: 96 });
  });

  test("takes a canceled task out between two steps and goes on with the others", async () => {
    const rendering = render(engine, [
      createTask("a", { steps: 50 }),
      createTask("b", { steps: 50 }),
    ]);
    await rendering.stepped;

    engine.cancel("a");
    const ends = await rendering.ends;

    const stepsOfA = rendering.said.filter((said) => "index" in said && said.task === "a").length;
    expect(ends.get("a")).toEqual({ kind: "canceled", stepsSaved: 50 - stepsOfA });
    expect(stepsOfA).toBeLessThan(50);
    expect(ends.get("b")?.kind).toBe("finished");
  });

  test("gives out what was done of a task, and goes on with it bit by bit the same", async () => {
    const task = createTask("a", { steps: 50 });
    const whole = (await render(engine, [task]).ends).get("a");
    const rendering = render(engine, [task]);
    await rendering.stepped;

    engine.release("a");
    const end = (await rendering.ends).get("a");
    const done = end?.kind === "released" ? end.done : undefined;
    const rest = render(engine, [{ ...task, ...(done && { resume: done }) }]);
    const finished = (await rest.ends).get("a");

    expect(done?.step).toBeLessThan(50);
    expect(rest.said.slice(1)).toHaveLength(50 - (done?.step ?? 0));
    expect(pngOf(finished)).toEqual(pngOf(whole));
  });

  test("gives out nothing of a task that has not stepped", async () => {
    const others = ["a", "b", "c", "d"].map((name) => createTask(name, { steps: 20 }));
    const rendering = render(engine, [...others, createTask("without room")]);

    engine.release("without room");

    const end = (await rendering.ends).get("without room");
    expect(end).toEqual({ kind: "released", done: undefined });
  });

  test("fails a prompt that is too long, and only that one", async () => {
    const long = createTask("long", { prompt: "word ".repeat(600) });

    const ends = await render(engine, [createTask("a"), long]).ends;

    expect(ends.get("long")).toMatchObject({ failure: { reason: "PROMPT_TOO_LONG" } });
    expect(ends.get("a")?.kind).toBe("finished");
  });

  test("fails a size outside the model's bounds, and only that one", async () => {
    const ends = await render(engine, [createTask("odd", { width: 65 }), createTask("a")]).ends;

    expect(ends.get("odd")).toMatchObject({ failure: { reason: "INVALID_REQUEST" } });
    expect(ends.get("a")?.kind).toBe("finished");
  });

  test("answers every task when the process is killed, and is there again", async () => {
    const tasks = ["a", "b", "c", "d", "e"].map((name) => createTask(name, { steps: 50 }));
    const rendering = render(engine, tasks);
    await rendering.stepped;

    process.kill(engine.pid ?? 0, "SIGKILL");
    const ends = await rendering.ends;

    expect(ends.get("a")).toMatchObject({ kind: "failed", failure: { reason: "ENGINE_CRASHED" } });
    // The fifth had no room in the batch of four: nobody can blame it.
    expect(ends.get("e")).toEqual({ kind: "refused" });
    await expect.poll(() => engine.problem()).toBeUndefined();
    expect((await render(engine, [createTask("a")]).ends).get("a")?.kind).toBe("finished");
  });
});

test("the model that ships is there, so that the suite above ran against it", () => {
  expect(existsSync(nanoEngine.modelDir)).toBe(true);
});

function pngOf(end: EngineEnd | undefined): Uint8Array {
  expect(end?.kind).toBe("finished");
  return end?.kind === "finished" ? end.png : new Uint8Array();
}
