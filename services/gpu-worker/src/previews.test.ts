import { defaultProject, limits, type ProgressPreview } from "@zfarm/contract";
import { afterEach, expect, test, vi } from "vitest";
import { nanoEngine } from "../testing/engine-harness.ts";
import { createLease, job } from "../testing/scripted-leader.ts";
import { startWorker, type WorkerUnderTest } from "../testing/worker-harness.ts";

const patience = { timeout: 30_000, interval: 20 };
let worker: WorkerUnderTest;

afterEach(async () => {
  await worker.app.stop();
});

const previews = (): ProgressPreview[] =>
  worker.leader.progress.flatMap(({ event }) => (event?.$case === "preview" ? [event.value] : []));

async function draw(): Promise<void> {
  worker.leader.grant([createLease(0, { steps: 20, width: 128, height: 96 })]);
  await vi.waitUntil(async () => (await worker.outcomes()).length > 0, patience);
}

test("sends small pictures of a job that somebody wishes to see", async () => {
  worker = await startWorker({ engine: nanoEngine });
  worker.broker.progress.wishPreviews({ project: defaultProject, job });

  await draw();

  expect(previews().length).toBeGreaterThan(0);
  for (const { index, total, image } of previews()) {
    expect(index).toBeGreaterThan(0);
    expect(total).toBe(20);
    expect([...image.subarray(0, 2)]).toEqual([0xff, 0xd8]);
    expect(image.byteLength).toBeLessThan(limits.previewBytesMax);
  }
  const steps = previews().map(({ index }) => index);
  expect(steps).toEqual([...new Set(steps)].toSorted((a, b) => a - b));
});

test("sends none where nobody does", async () => {
  worker = await startWorker({ engine: nanoEngine });

  await draw();

  expect(previews()).toEqual([]);
});
