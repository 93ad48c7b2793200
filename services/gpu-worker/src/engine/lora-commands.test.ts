import { writeFile } from "node:fs/promises";
import { readPngMetadata } from "@zfarm/zimage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEngine, createTask, render, stubEngine } from "../../testing/engine-harness.ts";
import { createStubLora, writeStubLora } from "../../testing/stub-lora.ts";
import type { EngineProcess } from "../engine-process.ts";

let engine: EngineProcess;
/** Tasks in each denoise run. */
const runs: number[] = [];

beforeEach(async () => {
  engine = createEngine(stubEngine, { onRun: ({ batchTasks }) => runs.push(batchTasks) });
  await engine.start(new AbortController().signal);
});
afterEach(() => engine.close());

async function pictureOf(stack: readonly { digest: string; weight: number }[]) {
  const end = (await render(engine, [createTask("a", { stack })]).ends).get("a");
  return end?.kind === "finished" ? end.png : undefined;
}

describe("an engine", () => {
  test("draws with an adapter it has loaded, and says so in the file", async () => {
    await using lora = await writeStubLora({ shift: 20, bytes: 77 });
    const plain = await pictureOf([]);

    const load = await engine.loadLora(lora.digest, lora.path);
    const stack = [{ digest: lora.digest, weight: 0.5 }];
    const png = await pictureOf(stack);

    expect(load).toMatchObject({ kind: "loaded", bytes: 77 });
    expect(png).not.toEqual(plain);
    expect(readPngMetadata(png ?? new Uint8Array())?.loras).toEqual(stack);
  });

  test("steps no more adapters together than fit into a run, and draws all the same", async () => {
    await using one = await writeStubLora({ shift: 1 });
    await using two = await writeStubLora({ shift: 2 });
    await using three = await writeStubLora({ shift: 3 });
    await using four = await writeStubLora({ shift: 4 });
    const loras = [one, two, three, four];
    for (const { digest, path } of loras) await engine.loadLora(digest, path);
    const tasks = loras.map(({ digest }) =>
      createTask(digest, { stack: [{ digest, weight: 1 }], steps: 8 }),
    );
    runs.length = 0;

    const ends = await render(engine, tasks).ends;

    expect([...ends.values()].map(({ kind }) => kind)).toEqual(tasks.map(() => "finished"));
    expect(Math.max(...runs)).toBe(3);
  });

  test("takes no other file for the one that the digest names", async () => {
    await using lora = await writeStubLora({ shift: 20 });
    await writeFile(lora.path, createStubLora({ shift: 21 }).bytes);

    const load = await engine.loadLora(lora.digest, lora.path);

    expect(load).toMatchObject({ kind: "failed", failure: { kind: "corrupt" } });
  });

  test("says of an adapter that its model cannot use why, and of a missing file", async () => {
    await using lora = await writeStubLora({ order: "refuse" });

    const failure = { kind: "refused", message: "it is for another model" };
    expect(await engine.loadLora(lora.digest, lora.path)).toEqual({ kind: "failed", failure });
    const missing = await engine.loadLora(lora.digest, `${lora.path}.gone`);
    expect(missing).toMatchObject({ failure: { kind: "unreadable" } });
  });

  test("holds nothing after a drop", async () => {
    await using lora = await writeStubLora({ shift: 20 });
    await engine.loadLora(lora.digest, lora.path);

    engine.dropLora(lora.digest);
    const ends = await render(engine, [
      createTask("a", { stack: [{ digest: lora.digest, weight: 1 }] }),
    ]).ends;

    expect(ends.get("a")).toMatchObject({ failure: { reason: "ENGINE_FAILED" } });
  });

  test("answers a load that it dies under, and refuses loads while it is gone", async () => {
    await using lora = await writeStubLora({ order: "crash" });

    const failure = { reason: "ENGINE_CRASHED" };
    const load = await engine.loadLora(lora.digest, lora.path);
    expect(load).toMatchObject({ kind: "crashed", failure });
    expect(await engine.loadLora(lora.digest, lora.path)).toEqual({ kind: "refused" });
  });
});
