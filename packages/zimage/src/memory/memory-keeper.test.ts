import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { ModelError } from "../errors.ts";
import { type ModelDirectory, openModelDirectory } from "../model/open-model-directory.ts";
import { openPipeline } from "../pipeline/open-pipeline.ts";
import { machineBytes } from "./machine-memory.ts";
import { MemoryKeeper } from "./memory-keeper.ts";
import { baseBytes } from "./memory-plan.ts";
import { networkBytes } from "./network-bytes.ts";

let folder: string;
let model: ModelDirectory;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiny-model-"));
  await writeTinyModel(folder);
  model = await openModelDirectory(folder);
});

afterAll(() => rm(folder, { recursive: true }));

const gibibyte = 2 ** 30;

function keeper(bytes: number, lessons = 0): MemoryKeeper {
  const budget = { bytes, networks: networkBytes(model, "fp32"), open: ["all"] } as const;
  return new MemoryKeeper(model, budget, lessons);
}

test("a picture that cannot fit is refused with what it needs and what is there", () => {
  const ask = { width: 64, height: 64, tokens: 20 };

  expect(() => keeper(baseBytes).plan(ask)).toThrow(
    expect.objectContaining({
      code: "MEMORY_EXCEEDED",
      message: expect.stringMatching(/^a picture of 64x64 with 20 tokens needs 0\.\d GB, 0\.2 GB/),
    }),
  );
  expect(keeper(gibibyte).plan(ask).fits).toBe(true);
});

test("running out of memory fails that run alone and makes later plans ask for more", async () => {
  const ask = { width: 64, height: 64, tokens: 20 };
  const memory = keeper(gibibyte);
  const before = memory.plan(ask).needBytes;
  const fail = (): Promise<void> => Promise.reject(new ModelError("MEMORY_EXCEEDED", "no memory"));

  await expect(memory.watch(fail)).rejects.toThrow("no memory");
  const after = memory.plan(ask).needBytes;
  expect(after).toBeGreaterThan(before);
  for (let times = 0; times < 20; times += 1) await memory.watch(fail).catch(() => undefined);
  expect(memory.plan(ask).needBytes).toBeLessThan(2 * before);
});

test("what killed the processes before is known from the start", async () => {
  const ask = { width: 64, height: 64, tokens: 20 };
  const memory = keeper(gibibyte);
  const fail = (): Promise<void> => Promise.reject(new ModelError("MEMORY_EXCEEDED", "no memory"));

  for (const lessons of [0, 1, 2, 3, 4]) {
    expect(keeper(gibibyte, lessons).plan(ask)).toEqual(memory.plan(ask));
    await memory.watch(fail).catch(() => undefined);
  }
});

test("a run that pictures share is planned with all of its rows", () => {
  const ask = { width: 64, height: 64, tokens: 20 };
  const need = (runRows: number): number => keeper(gibibyte).plan({ ...ask, runRows }).needBytes;
  const { perRow } = networkBytes(model, "fp32");

  expect(need(1)).toBe(keeper(gibibyte).plan(ask).needBytes);
  expect(need(1064) - need(1000)).toBe(64 * perRow);
});

test("other failures teach nothing about memory", async () => {
  const memory = keeper(gibibyte);
  const ask = { width: 64, height: 64, tokens: 20 };
  const before = memory.plan(ask);
  await memory.watch(() => Promise.reject(new RangeError("other"))).catch(() => undefined);

  expect(memory.plan(ask)).toEqual(before);
});

test("a model that does not fit is refused before anything is opened", async () => {
  const opening = openPipeline(folder, { memoryBytes: 100 * 1024 * 1024 });

  await expect(opening).rejects.toMatchObject({
    code: "MEMORY_EXCEEDED",
    message: expect.stringMatching(/needs 1\.\d GB, 0\.1 GB are there/),
  });
});

test("what the process needs for other things is not the model's", async () => {
  const opening = openPipeline(folder, { reservedBytes: machineBytes() });

  await expect(opening).rejects.toMatchObject({
    code: "MEMORY_EXCEEDED",
    message: expect.stringContaining("0.0 GB are there"),
  });
});

test("a mode that the directory was not prepared for is refused by name", async () => {
  await expect(openPipeline(folder, { weights: "int4" })).rejects.toMatchObject({
    code: "INPUT_INVALID",
    field: "weights",
  });
});
