import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@zfarm/runtime";
import {
  encodePng,
  layOutAdapter,
  openModelDirectory,
  openPipeline,
  releasedTransformer,
} from "@zfarm/zimage";
import { loraArchitectureOf } from "@zfarm/zimage/lora";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeLoraFile } from "../../../../packages/zimage/test/lora-files.ts";
import { createNanoLora, type NanoLora, nanoDir } from "../../../../test/nano-loras.ts";
import { createEngine, createTask, render } from "../../testing/engine-harness.ts";
import { LoraReader } from "./lora-reader.ts";

let folder: string;
let lora: NanoLora;
let path: string;
let reader: LoraReader;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zfarm-lora-"));
  path = join(folder, "lora.safetensors");
  lora = await createNanoLora();
  await writeFile(path, lora.bytes);
  const { config } = (await openModelDirectory(nanoDir)).transformer;
  reader = new LoraReader(loraArchitectureOf(config), systemClock);
});
afterAll(async () => {
  reader.close();
  await rm(folder, { recursive: true });
});

describe("reading an adapter's file", () => {
  test("gives it as the library reads it, laid out for runs, with what it takes", async () => {
    const [first, again] = await Promise.all([
      reader.read(lora.digest, path),
      reader.read(lora.digest, path),
    ]);

    expect(first.adapter).toEqual(layOutAdapter(lora.adapter));
    expect(first.bytes).toBe(Number(lora.ref.sizeBytes));
    expect(again).toEqual(first);
  });

  test("brings LoKr of full rank for the released model from the thread", async () => {
    const module = "diffusion_model.layers.0.attention.to_q";
    const half = (count: number) => new Float32Array(count).fill(0.5);
    const file = encodeLoraFile({
      tensors: [
        { name: `${module}.lokr_w1`, shape: [60, 60], values: half(3_600) },
        { name: `${module}.lokr_w2`, shape: [64, 64], values: half(4_096) },
      ],
    });
    const lokrPath = join(folder, "lokr.safetensors");
    await writeFile(lokrPath, file);
    const released = new LoraReader(loraArchitectureOf(releasedTransformer), systemClock);
    const digest = createHash("sha256").update(file).digest("hex");
    const read = await released.read(digest, lokrPath);
    released.close();

    const product = read.adapter.products?.get("layers.0.attention.to_q");
    expect(product).toMatchObject({ first: { rows: 60 }, second: { rows: 64 }, scale: 1 });
    expect(product?.factors).toEqual(half(7_696));
    expect(read.bytes).toBe(4 * 7_696);
  });

  test("tells a broken file from one that the model cannot use", async () => {
    const broken = Uint8Array.from(lora.bytes);
    broken[9] = 0;
    const foreign = Buffer.from("no adapter at all");
    const brokenPath = join(folder, "broken.safetensors");
    await writeFile(brokenPath, broken);
    await writeFile(join(folder, "foreign.safetensors"), foreign);
    const foreignDigest = createHash("sha256").update(foreign).digest("hex");

    await expect(reader.read(lora.digest, brokenPath)).rejects.toMatchObject({
      code: "OBJECT_CORRUPT",
    });
    const refused = reader.read(foreignDigest, join(folder, "foreign.safetensors"));
    await expect(refused).rejects.toMatchObject({ code: "LORA_INVALID" });
    const missing = reader.read(lora.digest, join(folder, "missing.safetensors"));
    await expect(missing).rejects.toMatchObject({ code: "INTERNAL" });
  });

  test("begins anew after it was ended", async () => {
    const reading = reader.read(lora.digest, path);
    reader.close();

    await expect(reading).rejects.toMatchObject({ code: "INTERNAL" });
    expect((await reader.read(lora.digest, path)).adapter.id).toBe(lora.digest);
  });
});

test("an engine draws with an adapter what the library draws, byte for byte", async () => {
  const engine = createEngine({ name: "nano", modelDir: nanoDir });
  await engine.start(new AbortController().signal);
  const loaded = await engine.loadLora(lora.digest, path);
  const stack = [{ digest: lora.digest, weight: -0.5 }];
  const tasks = [createTask("with", { stack }), createTask("without")];
  const ends = await render(engine, tasks).ends;
  await engine.close();

  const pipeline = await openPipeline(nanoDir, { threads: 1 });
  const { task: _, ...spec } = createTask("spec");
  const loras = [{ adapter: lora.adapter, strength: -0.5 }];
  const pixels = await pipeline.render(spec, { loras });
  const { name: model, digest: modelDigest } = pipeline.info;
  await pipeline.close();
  const { prompt, seed, steps, width, height } = spec;
  const made = { prompt, seed, steps, width, height, model, modelDigest, loras: stack };
  const expected = Buffer.from(await encodePng(pixels, made));
  const pngOf = (name: string): Uint8Array => {
    const end = ends.get(name);
    return end?.kind === "finished" ? end.png : new Uint8Array();
  };
  expect(loaded).toMatchObject({ kind: "loaded", bytes: Number(lora.ref.sizeBytes) });
  expect(expected.equals(pngOf("with"))).toBe(true);
  expect(pngOf("without").byteLength).toBeGreaterThan(1_000);
  expect(expected.equals(pngOf("without"))).toBe(false);
}, 60_000);

test("an engine goes on with an adapter where another one left, byte for byte", async () => {
  const engines = [createEngine({ name: "nano", modelDir: nanoDir })];
  engines.push(createEngine({ name: "nano", modelDir: nanoDir }));
  const [one, other] = engines;
  if (one === undefined || other === undefined) throw new RangeError("two engines were made");
  for (const engine of engines) {
    await engine.start(new AbortController().signal);
    await engine.loadLora(lora.digest, path);
  }
  const task = createTask("a", { stack: [{ digest: lora.digest, weight: 1 }], steps: 30 });
  const whole = (await render(one, [task]).ends).get("a");

  const left = render(one, [task]);
  await left.stepped;
  one.release("a");
  const end = (await left.ends).get("a");
  const done = end?.kind === "released" ? end.done : undefined;
  const finished = (await render(other, [{ ...task, ...(done && { resume: done }) }]).ends).get(
    "a",
  );
  await Promise.all(engines.map((engine) => engine.close()));

  expect(done?.step).toBeGreaterThan(0);
  const pngOf = (how: typeof whole) => (how?.kind === "finished" ? how.png : new Uint8Array());
  expect(pngOf(whole).byteLength).toBeGreaterThan(1_000);
  expect(Buffer.from(pngOf(finished)).equals(pngOf(whole))).toBe(true);
}, 60_000);
