import { createMemoryBlobStore } from "@zfarm/blobs";
import { FarmError, type LatentCheckpoint, limits } from "@zfarm/contract";
import { Registry, silentLog, systemClock } from "@zfarm/runtime";
import { beforeEach, describe, expect, test } from "vitest";
import { createLease } from "../testing/scripted-leader.ts";
import { HeldTask } from "./domain/held-tasks.ts";
import { LatentStore, type LatentStoreNeeds } from "./latent-store.ts";
import { createMetrics } from "./metrics.ts";

const model = { digest: "m", weights: "fp32" } as const;
const done = { step: 3, latents: Float32Array.of(0.1, -2, Number.MIN_VALUE, 7e30) };

function hold(values: Parameters<typeof createLease>[1] = {}): HeldTask {
  const { spec, ...lease } = createLease(0, values);
  if (spec?.image === undefined) throw new RangeError("a lease without a picture");
  return new HeldTask({ ...lease, spec }, spec.image, 0);
}

describe("the store of latents", () => {
  const blobs = createMemoryBlobStore();
  let kept: LatentCheckpoint;

  function openStore(needs: Partial<LatentStoreNeeds> = {}): LatentStore {
    const metrics = createMetrics(new Registry());
    const made = { model, device: "cpu" };
    return new LatentStore({
      blobs,
      ...made,
      clock: systemClock,
      log: silentLog,
      metrics,
      ...needs,
    });
  }

  beforeEach(async () => {
    kept = (await openStore().keep(hold(), done)) ?? expect.fail("nothing was kept");
  });

  test("gives back what it was given, bit by bit", async () => {
    expect(kept.key).toMatch(/\/0\/100\.latents$/);
    expect(await openStore().load(hold({ fence: 7n }), kept)).toEqual(done);
  });

  test.each<[string, Partial<LatentCheckpoint>]>([
    ["is gone", { key: "default/a/0/1.latents" }],
    ["is damaged", { sha256: "0".repeat(64) }],
    ["has another length", { sizeBytes: 12 }],
    ["is too large", { sizeBytes: limits.latentBytesMax + 1 }],
    ["was made with another model", { modelDigest: "x" }],
    ["was made on another device", { device: "cuda fp32" }],
    ["is of another picture", { specDigest: "x" }],
    ["is of no step", { step: 0 }],
    ["is of the last step", { step: 4 }],
  ])("gives nothing where it %s", async (_, changes) => {
    expect(await openStore().load(hold(), { ...kept, ...changes })).toBeUndefined();
  });

  test.each([
    ["prompt", { prompt: "another" }],
    ["seed", { seed: 9n }],
    ["size", { width: 96 }],
    ["number of steps", { steps: 5 }],
  ])("gives nothing to a picture of another %s", async (_, values) => {
    expect(await openStore().load(hold(values), kept)).toBeUndefined();
  });

  test("gives nothing to a worker that holds the weights of the model in another way", async () => {
    const other = openStore({ model: { ...model, weights: "int8" } });

    expect(await other.load(hold(), kept)).toBeUndefined();
  });

  test("gives it to a device of the same class, whatever its number", async () => {
    const made = await openStore({ device: "cuda:0" }).keep(hold(), done);

    expect(await openStore({ device: "cuda:1" }).load(hold(), made ?? kept)).toEqual(done);
  });

  test("keeps nothing where the store fails, and fails nobody", async () => {
    const put = async (): Promise<void> => {
      throw new FarmError("STORE_UNAVAILABLE", "the store is away");
    };

    expect(await openStore({ blobs: { ...blobs, put } }).keep(hold(), done)).toBeUndefined();
  });

  test("keeps nothing that is larger than any picture's latents", async () => {
    const latents = new Float32Array(limits.latentBytesMax / 4 + 1);

    expect(await openStore().keep(hold(), { step: 3, latents })).toBeUndefined();
  });
});
