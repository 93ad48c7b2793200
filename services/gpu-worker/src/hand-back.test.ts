import type { LatentCheckpoint, Lease } from "@zfarm/contract";
import { afterEach, describe, expect, test, vi } from "vitest";
import { nanoEngine, stubEngine } from "../testing/engine-harness.ts";
import { createLease } from "../testing/scripted-leader.ts";
import { startWorker, type WorkerUnderTest } from "../testing/worker-harness.ts";

const running: WorkerUnderTest[] = [];
const patience = { timeout: 30_000, interval: 5 };
const steps = 40;

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ app }) => app.stop()));
});

async function start(options: Parameters<typeof startWorker>[0]): Promise<WorkerUnderTest> {
  const worker = await startWorker({ engine: nanoEngine, drainGraceMs: 0, ...options });
  running.push(worker);
  return worker;
}

const lease = (values: Partial<Lease> = {}): Lease => createLease(0, { steps, ...values });

/** What a worker that is stopped in the middle of the picture hands back. */
async function handBack(worker: WorkerUnderTest): Promise<LatentCheckpoint> {
  worker.leader.grant([lease()]);
  await vi.waitUntil(() => worker.leader.stepsOf(0).length >= 3, patience);
  await worker.app.stop();
  const latents = worker.leader.reports[0]?.latents;
  expect(latents?.step).toBeGreaterThanOrEqual(3);
  return latents ?? expect.fail("nothing was handed back");
}

/** The picture of a task, once it is there. */
async function pictureOf(worker: WorkerUnderTest, index: number): Promise<Uint8Array> {
  const find = async () => (await worker.outcomes()).find(({ spec }) => spec?.index === index);
  await vi.waitUntil(async () => (await find()) !== undefined, patience);
  const bytes = await worker.blobs.get((await find())?.image?.key ?? "none");
  return bytes ?? expect.fail("no picture");
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe("a worker that is stopped in the middle of a picture", () => {
  test("hands over what it has done, and the other ends it with the same bytes", async () => {
    const first = await start({});
    const latents = await handBack(first);
    const second = await start({ beside: first });

    second.leader.grant([lease({ fence: 900n, latents }), createLease(1, { steps })]);
    const resumed = await pictureOf(second, 0);

    expect(resumed).toEqual(await pictureOf(second, 1));
    expect(second.leader.stepsOf(0)).toEqual(range(1, steps));
    expect(await second.metric("zfarm_worker_resumes_total", { result: "resumed" })).toBe(1);
  });

  test("hands over the step before where it cannot wait for the one that runs", async () => {
    const worker = await start({ engine: stubEngine });
    worker.leader.grant([createLease(0, { prompt: "slower" })]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length === 1, patience);

    await worker.app.stop();

    const latents = worker.leader.reports[0]?.latents ?? expect.fail("nothing was handed back");
    expect(latents.step).toBe(1);
    // The stub's latents are the task's seed.
    const stored = await worker.blobs.get(latents.key);
    expect(new Float32Array(Uint8Array.from(stored ?? []).buffer)).toEqual(Float32Array.of(7));
  });

  test("hands over the step before a picture that is not decoded in time", async () => {
    const worker = await start({ engine: stubEngine });
    worker.leader.grant([createLease(0, { prompt: "slower to decode", steps: 2 })]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length === 2, patience);

    await worker.app.stop();

    expect(worker.leader.reports).toMatchObject([{ failure: undefined, latents: { step: 1 } }]);
    expect(await worker.outcomes()).toEqual([]);
  });

  test("costs nothing but its steps where what it left is gone", async () => {
    const first = await start({});
    const latents = await handBack(first);
    await first.blobs.remove(latents.key);
    const second = await start({ beside: first });
    const before = second.leader.stepsOf(0).length;

    second.leader.grant([lease({ fence: 900n, latents }), createLease(1, { steps })]);

    expect(await pictureOf(second, 0)).toEqual(await pictureOf(second, 1));
    expect(second.leader.stepsOf(0).slice(before)).toEqual(range(1, steps));
    expect(await second.metric("zfarm_worker_resumes_total", { result: "missing" })).toBe(1);
  });

  test("reports nothing of a task that is canceled while its latents are stored", async () => {
    const worker = await start({});
    const stored = Promise.withResolvers<void>();
    const put = vi.spyOn(worker.blobs, "put").mockReturnValue(stored.promise);
    worker.leader.grant([lease()]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length >= 3, patience);
    const stopping = worker.app.stop();
    await vi.waitUntil(() => put.mock.calls.length > 0, patience);

    worker.leader.cancel(lease());
    const canceled = () => worker.metric("zfarm_images_total", { outcome: "canceled" });
    await vi.waitUntil(async () => (await canceled()) === 1, patience);
    stored.resolve();
    await stopping;

    expect(worker.leader.reports).toEqual([]);
  });

  test("hands back without what it has done where the store does not take it", async () => {
    const worker = await start({});
    vi.spyOn(worker.blobs, "put").mockImplementation(() => new Promise(() => {}));
    worker.leader.grant([lease()]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length >= 3, patience);

    await worker.app.stop();

    expect(worker.leader.reports).toMatchObject([{ failure: undefined, latents: undefined }]);
    expect(await worker.app.done).toBe(0);
  });
});
