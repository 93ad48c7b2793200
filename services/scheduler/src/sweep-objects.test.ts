import { createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, createMemoryBroker } from "@zfarm/broker";
import {
  createJobId,
  defaultProject,
  imageKey,
  latentsKey,
  limits,
  manifestKey,
  OutcomeKind,
  outcomeCopyKey,
} from "@zfarm/contract";
import { Registry, systemClock } from "@zfarm/runtime";
import { beforeEach, describe, expect, test } from "vitest";
import { buildTask } from "../testing/drive-core.ts";
import { createStoreMetrics } from "./store-metrics.ts";
import { sweepObjects, sweepStart } from "./sweep-objects.ts";

const job = createJobId();
const task = { project: defaultProject, job, index: 0 };

describe("the sweep", () => {
  let blobs: ReturnType<typeof createMemoryBlobStore>;
  let broker: Broker;
  const put = (key: string) => blobs.put(key, new Uint8Array([1]), "image/png");
  const keys = () => Array.fromAsync(blobs.list(""), ({ key }) => key);

  beforeEach(() => {
    blobs = createMemoryBlobStore();
    broker = createMemoryBroker();
  });

  async function sweep(agedMs: number, after = sweepStart): Promise<string> {
    const clock = { ...systemClock, now: () => Date.now() + agedMs };
    const metrics = createStoreMetrics(new Registry());
    return await sweepObjects({ isOwn: () => true, broker, blobs, clock, metrics }, after);
  }

  async function end(fence: bigint, kind: OutcomeKind = OutcomeKind.SUCCEEDED): Promise<void> {
    const { spec } = buildTask(0, { job });
    const image = {
      key: imageKey(task, fence),
      sha256: "s",
      sizeBytes: 1n,
      mediaType: "image/png",
      modelDigest: "m",
      timings: undefined,
    };
    const isSuccess = kind === OutcomeKind.SUCCEEDED;
    await broker.outcomes.publish({
      spec,
      kind,
      ...(isSuccess ? { image } : {}),
      worker: "w1",
      fence,
      attempt: 1,
    });
  }

  test("removes what other attempts left, and keeps what the outcome points to", async () => {
    for (const fence of [1n, 2n, 3n]) {
      await put(imageKey(task, fence));
      await put(outcomeCopyKey(task, fence));
    }
    await end(2n);

    await sweep(limits.objectSweepAgeMs + 1);

    expect(await keys()).toEqual([outcomeCopyKey(task, 2n), imageKey(task, 2n)]);
  });

  test("removes the pictures of a task that ended without one", async () => {
    await put(imageKey(task, 1n));
    await end(0n, OutcomeKind.CANCELED);

    await sweep(limits.objectSweepAgeMs + 1);

    expect(await keys()).toEqual([]);
  });

  test("removes what a worker handed back, once the task has ended", async () => {
    await put(latentsKey(task, 1n));
    await sweep(limits.objectSweepAgeMs + 1);
    expect(await keys()).toHaveLength(1);

    await end(1n);
    await sweep(limits.objectSweepAgeMs + 1);

    expect(await keys()).toEqual([]);
  });

  test("touches nothing without an outcome, nothing young, nothing of another kind", async () => {
    const unknown = imageKey({ ...task, index: 1 }, 1n);
    const others = [unknown, manifestKey(task), "adapters/a", `${defaultProject}/${job}/note.png`];
    for (const key of others) await put(key);
    await sweep(limits.objectSweepAgeMs + 1);
    expect((await keys()).toSorted()).toEqual(others.toSorted());

    await put(imageKey(task, 1n));
    await end(2n);
    await sweep(limits.objectSweepAgeMs - 5_000);

    expect(await keys()).toContain(imageKey(task, 1n));
  });

  test("leaves alone what is older than the outcomes that could tell", async () => {
    await put(imageKey(task, 1n));
    await end(2n);

    await sweep(limits.outcomeRetentionMs + 1);

    expect(await keys()).toEqual([imageKey(task, 1n)]);
  });

  test("looks at a bounded number and goes on there, then from the start", async () => {
    const tasks = limits.objectSweepMax + 10;
    for (let index = 0; index < tasks; index += 1) await put(imageKey({ ...task, index }, 1n));

    const first = await sweep(limits.objectSweepAgeMs + 1);
    const second = await sweep(limits.objectSweepAgeMs + 1, first);

    const inOrder = await keys();
    expect(first).toBe(inOrder[limits.objectSweepMax - 1]);
    expect(second).toBe(sweepStart);
  });
});
