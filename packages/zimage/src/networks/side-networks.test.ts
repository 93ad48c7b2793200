import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { openPipeline } from "../pipeline/open-pipeline.ts";
import { openSideNetworks } from "./side-networks.ts";

const spec = { prompt: "cat", width: 32, height: 32, steps: 2, seed: 1n };
const options = { threads: 1 };

describe("the thread beside a pipeline", () => {
  let modelDirectory: string;
  beforeEach(async () => {
    modelDirectory = await mkdtemp(join(tmpdir(), "tiny-model-"));
    await writeTinyModel(modelDirectory);
  });
  afterEach(async () => {
    await rm(modelDirectory, { recursive: true });
  });

  test("gives the same pictures, bit by bit", async () => {
    const alone = await openPipeline(modelDirectory, options);
    const beside = await openPipeline(modelDirectory, { ...options, sideThreads: 1 });

    expect([alone.worksBeside, beside.worksBeside]).toEqual([false, true]);
    const pictures = [await alone.render(spec), await beside.render(spec)];
    await Promise.all([alone.close(), beside.close()]);

    expect(pictures[1]).toEqual(pictures[0]);
  });

  test("works while this one steps, and is waited for when it is closed", async () => {
    const pipeline = await openPipeline(modelDirectory, { ...options, sideThreads: 1 });
    const [caption] = await pipeline.encodePrompts([spec.prompt]);
    if (caption === undefined) expect.fail("no caption");
    const [done, other] = [
      pipeline.start({ ...spec, steps: 1 }, caption),
      pipeline.start(spec, caption),
    ];
    await pipeline.step([done]);

    const decoding = pipeline.decode([done]);
    await pipeline.step([other]);
    const closing = pipeline.close();

    expect(await decoding).toHaveLength(1);
    await closing;
  });

  test("says what is wrong with an order, and goes on", async () => {
    const side = await openSideNetworks({ modelDirectory, options });

    const refused = side.textEncoder.encode([Int32Array.of(-1)]);

    await expect(refused).rejects.toMatchObject({ code: "INPUT_INVALID", field: "ids[0]" });
    expect(await side.textEncoder.encode([Int32Array.of(1, 2)])).toHaveLength(1);
    await side.close();
  });

  test("answers nothing any more once it is closed", async () => {
    const side = await openSideNetworks({ modelDirectory, options });
    await side.close();

    const late = side.textEncoder.encode([Int32Array.of(1)]);

    await expect(late).rejects.toMatchObject({ code: "ENGINE_FAILED" });
  });

  test("names the file of a model that it cannot open", async () => {
    await truncate(join(modelDirectory, "vae", "config.json"), 3);

    const opening = openSideNetworks({ modelDirectory, options });

    await expect(opening).rejects.toMatchObject({
      code: "MODEL_INVALID",
      file: expect.stringContaining("vae/config.json"),
    });
  });
});
