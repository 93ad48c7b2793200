/** A whole worker with adapters: store, disk, engine, and what its leader hears. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobStore } from "@zfarm/blobs";
import {
  defaultPool,
  FailureBlame,
  FarmError,
  type LoraDigest,
  type LoraRef,
  loraKey,
  type Outcome,
  OutcomeKind,
  ShelfTier,
} from "@zfarm/contract";
import { readPngMetadata } from "@zfarm/zimage";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createLease } from "../../testing/scripted-leader.ts";
import { overrideBlobs, storeLora } from "../../testing/stored-loras.ts";
import { startWorker, type WorkerUnderTest } from "../../testing/worker-harness.ts";

const cleanups: (() => Promise<unknown>)[] = [];
const patience = { timeout: 20_000, interval: 20 };

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).toReversed()) await cleanUp();
});

async function start(options: Parameters<typeof startWorker>[0] = {}): Promise<WorkerUnderTest> {
  const worker = await startWorker(options);
  cleanups.push(() => worker.app.stop());
  return worker;
}

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-loras-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function waitForOutcomes(worker: WorkerUnderTest, count: number): Promise<Outcome[]> {
  await vi.waitUntil(async () => (await worker.outcomes()).length >= count, patience);
  return await worker.outcomes();
}

async function waitForReport(worker: WorkerUnderTest, count = 1) {
  await vi.waitUntil(() => worker.leader.reports.length >= count, patience);
  return worker.leader.reports;
}

/** Draws one picture with the adapters and gives its file. */
async function draw(worker: WorkerUnderTest, index: number, stack: LoraRef[]): Promise<Uint8Array> {
  worker.leader.grant([createLease(index, { stack })]);
  await vi.waitUntil(async () => {
    const outcomes = await worker.outcomes();
    return outcomes.some(({ spec }) => spec?.index === index);
  }, patience);
  const outcome = (await worker.outcomes()).find(({ spec }) => spec?.index === index);
  return (await worker.blobs.get(outcome?.image?.key ?? "none")) ?? new Uint8Array();
}

const usesOf = (worker: WorkerUnderTest, tier: string) =>
  worker.metric("zfarm_worker_lora_uses_total", { tier });

/** What the newest request for work says of an adapter. */
function tierOf(worker: WorkerUnderTest, { digest }: LoraRef): ShelfTier | undefined {
  const items = worker.leader.asks.at(-1)?.shelf?.items ?? [];
  return items.find((item) => item.digest === digest)?.tier;
}

describe("a worker with adapters", () => {
  test("draws with what the store has, and tells the leader where it is now", async () => {
    const worker = await start();
    const lora = await storeLora(worker.blobs, { shift: 20, bytes: 1_000 });
    const plain = await draw(worker, 0, []);

    const picture = await draw(worker, 1, [{ ...lora, weight: 0.5 }]);
    await draw(worker, 2, [lora]);

    expect(picture).not.toEqual(plain);
    const stack = [{ digest: lora.digest, weight: 0.5 }];
    expect(readPngMetadata(picture)?.loras).toEqual(stack);
    const shelf = { deviceBytes: 500_000n, rankBudget: 128 };
    expect(worker.leader.asks.at(-1)?.shelf).toMatchObject(shelf);
    expect(tierOf(worker, lora)).toBe(ShelfTier.DEVICE);
    expect(await Promise.all([usesOf(worker, "store"), usesOf(worker, "device")])).toEqual([1, 1]);
  });

  test("says to its pool how many ranks a picture may have", async () => {
    const worker = await start({ loras: { ranks: 64 } });

    expect(await worker.broker.pools.find(defaultPool)).toMatchObject({ rankBudget: 64 });
  });

  test("renders others, in all its slots, while an adapter is on its way", async () => {
    const arrived = Promise.withResolvers<void>();
    const worker = await start({
      slots: 2,
      wrapBlobs: (blobs) =>
        overrideBlobs(blobs, {
          getRange: async (...args) => {
            await arrived.promise;
            return await blobs.getRange(...args);
          },
        }),
    });
    const lora = await storeLora(worker.blobs, { shift: 20 });

    worker.leader.grant([createLease(0, { stack: [lora] }), createLease(1)]);
    worker.leader.grant([createLease(2), createLease(3)]);
    const before = await waitForOutcomes(worker, 3);
    arrived.resolve();
    const after = await waitForOutcomes(worker, 4);

    expect(before.map(({ spec }) => spec?.index)).toEqual([1, 2, 3]);
    expect(after[0]?.kind).toBe(OutcomeKind.SUCCEEDED);
    expect(after[0]?.spec?.stack?.adapters).toEqual([lora]);
  });

  test("takes no more than its slots of tasks whose adapters are on their way", async () => {
    const worker = await start({ slots: 2, wrapBlobs: neverArrives });
    const lora = await storeLora(worker.blobs, { shift: 20 });

    worker.leader.grant([0, 1].map((index) => createLease(index, { stack: [lora] })));
    await vi.waitUntil(
      () => worker.leader.beats.some(({ running }) => running.length === 2),
      patience,
    );

    expect(worker.leader.asks.map(({ slotsFree }) => slotsFree)).toEqual([2]);
    worker.leader.cancel(createLease(0, { stack: [lora] }));
    await vi.waitUntil(() => worker.leader.asks.length === 2, patience);
  });

  test("fails a task whose adapter the store does not have, and only that one", async () => {
    const worker = await start();
    const lora = { digest: "0a".repeat(32), weight: 1, rank: 16, sizeBytes: 10n };

    worker.leader.grant([createLease(0, { stack: [lora] }), createLease(1)]);
    const [report] = await waitForReport(worker);

    expect(report?.failure).toEqual({
      reason: "LORA_MISSING",
      blame: FailureBlame.SHARED,
      message: `adapter ${lora.digest}: the object store has no loras/${lora.digest}.safetensors`,
    });
    expect(await waitForOutcomes(worker, 1)).toMatchObject([{ spec: { index: 1 } }]);
  });

  test("never takes another file of the store for the adapter", async () => {
    const folder = await createFolder();
    const worker = await start({ loras: { folder } });
    const lora = await storeLora(worker.blobs, { shift: 20 });
    await worker.blobs.put(loraKey(lora.digest as LoraDigest), Buffer.from("{}"), "text/plain");

    worker.leader.grant([createLease(0, { stack: [lora] })]);
    const [report] = await waitForReport(worker);

    const failure = { reason: "LORA_CORRUPT", blame: FailureBlame.SHARED };
    expect(report).toMatchObject({ failure });
    expect(await readdir(folder)).toEqual([]);
  });

  test("fetches anew what is broken on the disk", async () => {
    const folder = await createFolder();
    const worker = await start({ loras: { folder } });
    const lora = await storeLora(worker.blobs, { shift: 20 });
    const whole = await start();
    await storeLora(whole.blobs, { shift: 20 });
    await writeFile(join(folder, `${lora.digest}.safetensors`), "{}");

    const picture = await draw(worker, 0, [lora]);

    expect(picture).toEqual(await draw(whole, 0, [lora]));
    expect(worker.leader.reports).toEqual([]);
  });

  test("survives a store that stumbles", async () => {
    let stumbles = 2;
    const worker = await start({
      wrapBlobs: (blobs) =>
        overrideBlobs(blobs, {
          getRange: async (...args) => {
            if (stumbles-- > 0) throw new FarmError("STORE_UNAVAILABLE", "away");
            return await blobs.getRange(...args);
          },
        }),
    });
    const lora = await storeLora(worker.blobs, { shift: 20 });

    await draw(worker, 0, [lora]);

    expect(worker.leader.reports).toEqual([]);
  });

  test("finds after a restart what it had on its disk", async () => {
    const folder = await createFolder();
    const first = await start({ loras: { folder } });
    const lora = await storeLora(first.blobs, { shift: 20 });
    const picture = await draw(first, 0, [lora]);
    await first.app.stop();

    const second = await start({ loras: { folder }, wrapBlobs: neverArrives });

    expect(tierOf(second, lora)).toBe(ShelfTier.DISK);
    expect(await draw(second, 0, [lora])).toEqual(picture);
  });

  test("shares its disk with another worker, and fetches once what both have", async () => {
    const folder = await createFolder();
    const [one, other] = await Promise.all([
      start({ loras: { folder } }),
      start({ loras: { folder } }),
    ]);
    const lora = await storeLora(one.blobs, { shift: 20 });
    await storeLora(other.blobs, { shift: 20 });

    const pictures = await Promise.all([draw(one, 0, [lora]), draw(other, 0, [lora])]);

    expect(pictures[0]).toEqual(pictures[1]);
    expect(await readdir(folder)).toEqual([`${lora.digest}.safetensors`]);
  });

  test("fetches an adapter ahead when the leader says so", async () => {
    const worker = await start();
    const lora = await storeLora(worker.blobs, { shift: 20, bytes: 500 });

    worker.leader.prewarm(lora);
    const inRam = () => worker.metric("zfarm_worker_lora_bytes", { tier: "ram" });
    await vi.waitUntil(async () => (await inRam()) === 500, patience);
    await draw(worker, 0, [lora]);

    expect(await usesOf(worker, "device")).toBe(1);
  });

  test("lets the one used longest ago leave, from memory and from disk", async () => {
    const folder = await createFolder();
    const worker = await start({ loras: { folder, ramBytes: 1_000, diskBytes: 60 } });
    const texts = [1, 2, 3].map((shift) => ({ shift, bytes: 400 }));
    const loras = await Promise.all(texts.map((text) => storeLora(worker.blobs, text)));

    for (const [index, lora] of loras.entries()) await draw(worker, index, [lora]);

    const evictions = (tier: string) =>
      worker.metric("zfarm_worker_lora_evictions_total", { tier });
    expect(await evictions("ram")).toBe(1);
    expect(await evictions("disk")).toBe(1);
    expect(await readdir(folder)).toHaveLength(2);
    expect(await worker.metric("zfarm_worker_lora_bytes", { tier: "device" })).toBe(400);
  });

  test("lets a task wait for memory that others hold, and in its turn", async () => {
    const worker = await start({ loras: { ramBytes: 1_000 } });
    const texts = [1, 2, 3].map((shift) => ({ shift, bytes: 600 }));
    const [a, b, c] = await Promise.all(texts.map((text) => storeLora(worker.blobs, text)));
    if (a === undefined || b === undefined || c === undefined) throw new RangeError("no adapter");
    worker.leader.grant([createLease(0, { stack: [a], prompt: "slow", steps: 3 })]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    worker.leader.grant([createLease(1, { stack: [b] }), createLease(2, { stack: [a] })]);
    worker.leader.grant([createLease(3, { stack: [c] })]);
    const outcomes = await waitForOutcomes(worker, 4);

    expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => OutcomeKind.SUCCEEDED));
    expect(worker.leader.reports).toEqual([]);
  });

  test("lets a canceled task leave the line for memory", async () => {
    const worker = await start({ loras: { ramBytes: 1_000 } });
    const texts = [1, 2].map((shift) => ({ shift, bytes: 600 }));
    const [a, b] = await Promise.all(texts.map((text) => storeLora(worker.blobs, text)));
    if (a === undefined || b === undefined) throw new RangeError("no adapter");
    worker.leader.grant([createLease(0, { stack: [a], prompt: "slow", steps: 3 })]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);
    const waiting = createLease(1, { stack: [b] });
    worker.leader.grant([waiting]);
    await vi.waitUntil(() => worker.leader.asks.length === 3, patience);

    worker.leader.cancel(waiting);
    worker.leader.grant([createLease(2, { stack: [a] })]);

    const outcomes = await waitForOutcomes(worker, 2);
    expect(outcomes.map(({ spec }) => spec?.index)).toEqual([0, 2]);
  });

  test("says so when an adapter needs more memory than there is", async () => {
    const worker = await start({ loras: { ramBytes: 1_000 } });
    const lora = await storeLora(worker.blobs, { shift: 20, bytes: 1_001 });

    worker.leader.grant([createLease(0, { stack: [lora] })]);
    const [report] = await waitForReport(worker);

    expect(report?.failure).toMatchObject({ reason: "LORA_NOT_HELD", blame: FailureBlame.WORKER });
    expect(report?.failure?.message).toContain("1001 bytes");
  });

  test("ends a task at once whose adapter its model cannot use", async () => {
    const worker = await start();
    const lora = await storeLora(worker.blobs, { order: "refuse" });

    worker.leader.grant([createLease(0, { stack: [lora] })]);
    const [report] = await waitForReport(worker);

    expect(report?.failure).toMatchObject({ reason: "INVALID_REQUEST", blame: FailureBlame.TASK });
  });

  test("blames the load that the engine died under", async () => {
    const worker = await start();
    const lora = await storeLora(worker.blobs, { order: "crash" });

    worker.leader.grant([createLease(0, { stack: [lora] })]);

    expect(await waitForReport(worker)).toMatchObject([{ failure: { reason: "ENGINE_CRASHED" } }]);
  });

  test("loads again what a killed engine had", async () => {
    const worker = await start();
    const lora = await storeLora(worker.blobs, { shift: 20 });
    const before = await draw(worker, 0, [lora]);

    process.kill(worker.wired.engine.pid ?? 0, "SIGKILL");
    await vi.waitUntil(() => worker.wired.engine.problem() !== undefined, patience);
    await vi.waitUntil(() => worker.wired.engine.problem() === undefined, patience);

    expect(await draw(worker, 1, [lora])).toEqual(before);
    expect(worker.leader.reports).toEqual([]);
  });

  test("hands back, when it drains, what waits for its adapters", async () => {
    const worker = await start({ wrapBlobs: neverArrives });
    const lora = await storeLora(worker.blobs, { shift: 20 });
    worker.leader.grant([createLease(0, { stack: [lora] })]);
    await vi.waitUntil(() => worker.leader.asks.length === 2, patience);

    await worker.app.stop();

    expect(await worker.app.done).toBe(0);
    expect(worker.leader.reports).toMatchObject([{ task: { index: 0 }, failure: undefined }]);
  });
});

/** A store that begins to give a file and does not go on before the test is over. */
function neverArrives(blobs: BlobStore): BlobStore {
  const over = Promise.withResolvers<undefined>();
  cleanups.push(async () => over.resolve(undefined));
  return overrideBlobs(blobs, { getRange: () => over.promise });
}
