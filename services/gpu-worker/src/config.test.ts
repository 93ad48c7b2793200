import { limits } from "@zfarm/contract";
import { ConfigError } from "@zfarm/runtime";
import { expect, test, vi } from "vitest";
import { readGpuWorkerConfig } from "./config.ts";

test("needs nothing but a model", () => {
  const config = readGpuWorkerConfig({ MODEL_DIR: "models/z-image-nano" });

  expect(config).toMatchObject({ pool: "default", device: "cpu", threads: undefined, slots: 4 });
  expect(config.worker).toMatch(/^worker-[a-z0-9-]+-[0-9a-f]{6}$/);
});

test("reads how weights are held and what they may take", () => {
  const env = { MODEL_DIR: "m", WORKER_WEIGHTS: "int8", WORKER_MEMORY_BYTES: "9000000000" };

  expect(readGpuWorkerConfig(env)).toMatchObject({ weights: "int8", memoryBytes: 9e9 });
  expect(() => readGpuWorkerConfig({ ...env, WORKER_WEIGHTS: "int3" })).toThrow("WORKER_WEIGHTS");
});

test("asks what a card has for the model, because nothing here asks the card", () => {
  const env = { MODEL_DIR: "m", WORKER_DEVICE: "cuda:1" };
  const whole = { ...env, WORKER_MEMORY_BYTES: "70000000000" };

  expect(() => readGpuWorkerConfig(env)).toThrow("WORKER_DEVICE=cuda:1 needs WORKER_MEMORY_BYTES");
  expect(readGpuWorkerConfig(whole)).toMatchObject({ device: "cuda:1", memoryBytes: 7e10 });
});

test("takes WebGPU only from who says that it is an experiment, and what memory it has", () => {
  const memory = { MODEL_DIR: "m", WORKER_DEVICE: "webgpu", WORKER_MEMORY_BYTES: "8000000000" };
  const asked = { ...memory, WORKER_EXPERIMENTAL: "true" };
  const unbounded = { ...asked, WORKER_MEMORY_BYTES: "0" };

  expect(() => readGpuWorkerConfig(memory)).toThrow("it needs WORKER_EXPERIMENTAL=true");
  expect(() => readGpuWorkerConfig(unbounded)).toThrow("webgpu needs WORKER_MEMORY_BYTES");
  expect(readGpuWorkerConfig(asked)).toMatchObject({ device: "webgpu", sideThreads: undefined });
});

test("takes for adapters a sixteenth of what its container has", () => {
  const limit = vi.spyOn(process, "constrainedMemory").mockReturnValue(2 ** 30);

  expect(readGpuWorkerConfig({ MODEL_DIR: "m" }).loras.ramBytes).toBe(2 ** 26);
  limit.mockRestore();
});

test("bounds what adapters may take", () => {
  const read = (env: Readonly<Record<string, string>>) =>
    readGpuWorkerConfig({ MODEL_DIR: "m", ...env }).loras;
  const beyond = {
    WORKER_LORA_RANKS: [15, limits.loraRanksMax + 1],
    WORKER_LORA_RAM_BYTES: [limits.loraPieceBytes - 1, limits.loraRamBytesMax + 1],
    WORKER_LORA_DISK_BYTES: [limits.loraPieceBytes - 1, limits.loraDiskBytesMax + 1],
  };

  expect(read({})).toMatchObject({
    ranks: limits.loraRanksDefault,
    diskBytes: limits.loraDiskBytesDefault,
  });
  for (const [name, values] of Object.entries(beyond)) {
    for (const value of values) expect(() => read({ [name]: `${value}` })).toThrow(name);
  }
});

test.each(["tpu", "cpu:0", "cuda:123", "cuda:"])("the model has no device %s", (device) => {
  const read = (): unknown => readGpuWorkerConfig({ MODEL_DIR: "m", WORKER_DEVICE: device });

  expect(read).toThrow("WORKER_DEVICE");
});

test("two workers of one host have two names", () => {
  const read = (): string => readGpuWorkerConfig({ MODEL_DIR: "m" }).worker;

  expect(read()).not.toBe(read());
});

test("lists everything that is wrong at once", () => {
  const env = { WORKER_ID: "Not A Name", WORKER_SLOTS: "9", WORKER_DEVICE: "?", MODEL_DIR: "" };

  const read = (): unknown => readGpuWorkerConfig(env);

  expect(read).toThrow(ConfigError);
  for (const name of Object.keys(env)) expect(read).toThrow(name);
});
