import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import {
  createEngine,
  createTask,
  type EngineUnderTest,
  nanoEngine,
  render,
  stubEngine,
} from "../testing/engine-harness.ts";
import type { EngineProcess } from "./engine-process.ts";

const stopping = new AbortController();
const open: EngineProcess[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((engine) => engine.close()));
});

async function startStub(overrides: Parameters<typeof createEngine>[1] = {}) {
  const engine = createEngine(stubEngine, overrides);
  open.push(engine);
  await engine.start(stopping.signal);
  return engine;
}

function stubWith(modelDir: string): EngineUnderTest {
  return { ...stubEngine, modelDir };
}

describe("EngineProcess", () => {
  test("kills an engine that is stuck in a run and blames the run", async () => {
    const engine = await startStub({ stepMs: 1_000 });

    const ends = await render(engine, [createTask("a", { prompt: "hang" })]).ends;

    expect(ends.get("a")).toMatchObject({ failure: { reason: "ENGINE_CRASHED" } });
    expect(JSON.stringify(ends.get("a"))).toContain("1000 ms without a sign of life");
  });

  test("gives a step of a large model the time that its picture may take", async () => {
    const [patient, other] = [stubWith("patient"), stubEngine].map((stub) =>
      createEngine(stub, { stepMs: 200 }),
    );
    for (const engine of [patient, other]) open.push(engine ?? expect.fail("no engine"));
    await Promise.all(open.map((engine) => engine.start(stopping.signal)));
    const slow = () => createTask("a", { prompt: "slow", steps: 2 });

    const ends = await Promise.all(open.map((engine) => render(engine, [slow()]).ends));

    expect(ends.map((end) => end.get("a")?.kind)).toEqual(["finished", "failed"]);
  });

  describe("that the system kills for lack of memory", () => {
    let kills = 0;
    const counting = { countMemoryKills: () => kills };
    const crash = (task: string) => createTask(task, { prompt: "crash" });

    test("fails the one task that it had begun, as what it is", async () => {
      const engine = await startStub(counting);
      kills += 1;

      const ends = await render(engine, [crash("a")]).ends;

      expect(ends.get("a")).toMatchObject({ failure: { reason: "OUT_OF_MEMORY" } });
      expect(JSON.stringify(ends.get("a"))).toContain("the system had no memory left");
    });

    test("blames none of several, which are tried alone", async () => {
      const engine = await startStub(counting);
      const first = render(engine, [createTask("a", { prompt: "slow", steps: 50 })]);
      await first.stepped;
      kills += 1;

      const second = render(engine, [crash("b")]);

      for (const end of [(await first.ends).get("a"), (await second.ends).get("b")]) {
        expect(end).toMatchObject({ failure: { reason: "ENGINE_CRASHED" } });
      }
    });

    test.runIf(process.platform === "linux")("teaches the next one", async () => {
      const engine = await startStub(counting);
      const lessons = () => readFileSync(`/proc/${engine.pid}/cmdline`, "utf8");
      expect(lessons()).toContain('"memoryLessons":0');
      kills += 1;
      await render(engine, [crash("a")]).ends;

      await engine.start(stopping.signal);

      expect(lessons()).toContain('"memoryLessons":1');
    });

    test("is not mistaken for one that somebody else kills", async () => {
      const engine = await startStub(counting);

      const ends = await render(engine, [crash("a")]).ends;

      expect(ends.get("a")).toMatchObject({ failure: { reason: "ENGINE_CRASHED" } });
    });
  });

  test("tells what each phase of a start took, a first picture for nobody among them", async () => {
    const engine = createEngine(nanoEngine);
    open.push(engine);
    await engine.start(stopping.signal);

    const { processMs, weightsMs, sessionMs, warmUpMs } = engine.phases ?? {};
    for (const ms of [processMs, weightsMs, sessionMs, warmUpMs]) expect(ms).toBeGreaterThan(0);
  });

  test("refuses tasks while there is no engine", async () => {
    const engine = await startStub();
    await render(engine, [createTask("a", { prompt: "crash" })]).ends;

    const ends = await render(engine, [createTask("b")]).ends;

    expect(ends.get("b")).toEqual({ kind: "refused" });
    expect(engine.problem()).toBe("the engine is gone");
  });

  test("never turns a latent that is not finite into a picture", async () => {
    const engine = await startStub();

    const ends = await render(engine, [createTask("a", { prompt: "nan" })]).ends;

    expect(ends.get("a")).toMatchObject({ failure: { reason: "NAN_OUTPUT" } });
  });

  test("finds the one task that breaks the run of its batch", async () => {
    const engine = await startStub();
    const poison = createTask("bad", { prompt: "poison" });

    const ends = await render(engine, [createTask("a"), poison, createTask("b")]).ends;

    expect(ends.get("bad")).toMatchObject({ failure: { reason: "ENGINE_FAILED" } });
    expect([ends.get("a")?.kind, ends.get("b")?.kind]).toEqual(["finished", "finished"]);
  });

  test("asks for previews again after one has failed", async () => {
    const engine = await startStub();
    const task = createTask("a", { prompt: "shy", steps: 20 });
    const [seen, ended] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];

    engine.render([task], {
      onStarted: () => {},
      onStep: () => engine.preview("a"),
      onLatents: () => {},
      onPreview: ({ index }) => seen.resolve(index),
      onEnd: () => ended.resolve(0),
    });

    expect(await Promise.race([seen.promise, ended.promise])).toBeGreaterThan(2);
  });

  test("names the directory and the file of a model that cannot be opened", async () => {
    const engine = createEngine(stubWith("broken"));

    await expect(engine.start(stopping.signal)).rejects.toMatchObject({
      code: "INTERNAL",
      message: "cannot use model directory broken: vae/broken.safetensors: the file is truncated",
    });
  });

  test("gives up after a bounded number of crashes at the start", async () => {
    let restarts = 0;
    const engine = createEngine(stubWith("crashing"), { onRestart: () => (restarts += 1) });

    const started = engine.start(stopping.signal);

    await expect(started).rejects.toThrow("the engine ended 6 times without finishing a picture");
    expect(restarts).toBe(5);
  });

  test("leaves no engine behind when its parent is killed", async () => {
    const entry = fileURLToPath(new URL("../testing/orphaning-parent.ts", import.meta.url));
    const parent = spawn(process.execPath, [entry], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(parent.stdout, "data");
    const pid = Number(String(line));
    expect(isAlive(pid)).toBe(true);

    parent.kill("SIGKILL");

    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test("ends the process when it is closed", async () => {
    const engine = await startStub();
    const { pid = 0 } = engine;

    await engine.close();

    expect(isAlive(pid)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    expect(error).toMatchObject({ code: "ESRCH" });
    return false;
  }
}
