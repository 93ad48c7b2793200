import { createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, copyOutcomes, createMemoryFarm, type StoredTask } from "@zfarm/broker";
import {
  controlCopyKey,
  createJobId,
  defaultPool,
  defaultProject,
  imageKey,
  JobControl,
  JobManifest,
  type JobRecord,
  limits,
  manifestKey,
  type Outcome,
  OutcomeKind,
  outcomeCopyKey,
  PriorityClass,
  parseManifestKey,
} from "@zfarm/contract";
import { Registry, silentLog, systemClock } from "@zfarm/runtime";
import { beforeEach, describe, expect, test } from "vitest";
import { buildTask } from "../testing/drive-core.ts";
import { type ReconcileNeeds, reconcileJob } from "./reconcile-job.ts";
import { reconcileRound } from "./reconcile-round.ts";
import { createStoreMetrics } from "./store-metrics.ts";

const ref = { project: defaultProject, job: createJobId() };
const picture = new Uint8Array([1, 2, 3]);
const never = new AbortController().signal;

const record: JobRecord = {
  ...ref,
  requestDigest: "d",
  pool: defaultPool,
  displayName: "four cups",
  taskCount: 4,
  createTime: new Date(1_000),
  admitted: false,
};
const specs = [0, 1, 2, 3].map((index) => {
  const { spec } = buildTask(index, { job: ref.job });
  if (spec === undefined) throw new Error("a built task has a spec");
  return spec;
});

function outcomeOf(index: number, overrides: Partial<Outcome> = {}): Outcome {
  const fence = BigInt(index + 10);
  const key = imageKey({ ...ref, index }, fence);
  return {
    spec: specs[index],
    kind: OutcomeKind.SUCCEEDED,
    image: {
      key,
      sha256: "s",
      sizeBytes: BigInt(picture.length),
      mediaType: "image/png",
      modelDigest: "m",
      timings: undefined,
    },
    failure: undefined,
    worker: "w1",
    fence,
    attempt: 1,
    endTime: new Date(5_000),
    ...overrides,
  };
}

describe("comparing a manifest with the streams", () => {
  let blobs: ReturnType<typeof createMemoryBlobStore>;
  let broker: Broker;
  let needs: ReconcileNeeds;
  const live = new Set<number>();

  beforeEach(async () => {
    blobs = createMemoryBlobStore();
    lose();
    await blobs.put(
      manifestKey(ref),
      JobManifest.encode({ record, tasks: specs }).finish(),
      "application/x-protobuf",
    );
  });

  /** Everything that the broker had. */
  function lose(): void {
    live.clear();
    broker = createMemoryFarm().connect();
    const metrics = createStoreMetrics(new Registry());
    const leader = {
      isOwn: () => true,
      live: () => live,
      clock: systemClock,
      log: silentLog,
      metrics,
    };
    needs = { broker, blobs, ...leader };
  }

  async function reconcile(): Promise<string> {
    const info = await blobs.stat(manifestKey(ref));
    return info === undefined ? "no manifest" : await reconcileJob(needs, info);
  }

  /** As a worker of a farm with manifests ends a task. */
  async function finish(index: number): Promise<void> {
    const outcome = outcomeOf(index);
    await blobs.put(outcome.image?.key ?? "", picture, "image/png");
    await copyOutcomes(broker.outcomes, blobs).publish(outcome);
  }

  async function queued(): Promise<StoredTask[]> {
    const tasks: StoredTask[] = [];
    for await (const followed of broker.queue.follow(new AbortController().signal)) {
      if (followed.kind === "caught-up") break;
      tasks.push(...followed.entries);
    }
    return tasks;
  }
  const queuedSpecs = async () => (await queued()).map(({ task }) => task.spec);

  test("restores a lost job whole, with its id and what was drawn", async () => {
    await reconcile();

    expect((await broker.jobs.find(ref))?.record).toEqual({ ...record, admitted: true });
    expect(await queuedSpecs()).toEqual(specs);
  });

  test("does finished work not again: its outcome comes back from its copy", async () => {
    await finish(1);
    lose();

    await reconcile();

    expect((await broker.outcomes.list(ref)).map(({ outcome }) => outcome)).toEqual([outcomeOf(1)]);
    expect(await queuedSpecs()).toEqual([specs[0], specs[2], specs[3]]);
  });

  test.each<[string, (outcome: Outcome) => Promise<void>]>([
    ["is gone", ({ image }) => blobs.remove(image?.key ?? "")],
    ["is cut short", ({ image }) => blobs.put(image?.key ?? "", new Uint8Array([1]), "image/png")],
  ])("renders again what has a copy but whose picture %s", async (_name, harm) => {
    await finish(1);
    await harm(outcomeOf(1));
    lose();

    await reconcile();

    expect(await broker.outcomes.list(ref)).toEqual([]);
    expect(await queuedSpecs()).toEqual(specs);
  });

  test("ends a live task whose outcome alone was lost", async () => {
    await finish(0);
    lose();
    await broker.jobs.create({ ...record, admitted: true });
    for (const spec of specs) await broker.queue.add({ spec, attempts: 0 });
    for (const index of [0, 1, 2, 3]) live.add(index);

    await reconcile();

    expect((await broker.outcomes.list(ref)).map(({ outcome }) => outcome)).toEqual([outcomeOf(0)]);
    expect(await queued()).toHaveLength(4);
  });

  test("adds again a task that has neither message nor outcome, and only that", async () => {
    await broker.jobs.create({ ...record, admitted: true });
    await broker.queue.add({ spec: specs[0], attempts: 2 });
    await finish(1);
    await broker.queue.add({ spec: specs[2], attempts: 0 });
    live.add(0).add(2);

    await reconcile();

    const indexes = (await queued()).map(({ task }) => [task.spec?.index, task.attempts]);
    expect(indexes).toEqual([
      [0, 2],
      [2, 0],
      [3, 0],
    ]);
  });

  test("takes of two copies the one that ended first", async () => {
    await finish(1);
    const canceled = outcomeOf(1, {
      kind: OutcomeKind.CANCELED,
      fence: 0n,
      endTime: new Date(4_000),
    });
    lose();
    await copyOutcomes(createMemoryFarm().connect().outcomes, blobs).publish(canceled);

    await reconcile();

    expect((await broker.outcomes.list(ref)).map(({ outcome }) => outcome)).toEqual([canceled]);
  });

  test("restores what is wanted of the job as it was changed last, before any task", async () => {
    const wanted = { ...ref, scheduling: undefined, paused: true, approved: false };
    await blobs.put(controlCopyKey(ref), JobControl.encode(wanted).finish(), "");
    const order: string[] = [];
    const controls = {
      find: (job: typeof ref) => broker.controls.find(job),
      follow: (stop: AbortSignal) => broker.controls.follow(stop),
      put: async (control: JobControl, expected: bigint) => {
        order.push("control");
        return await broker.controls.put(control, expected);
      },
    };
    const add: Broker["queue"]["add"] = async (task) => {
      order.push("task");
      return await broker.queue.add(task);
    };
    const watched = { ...broker, controls, queue: { ...spread(broker.queue), add } };
    const info = await blobs.stat(manifestKey(ref));
    if (info !== undefined) await reconcileJob({ ...needs, broker: watched }, info);

    expect((await broker.controls.find(ref))?.control).toEqual(wanted);
    expect(order).toEqual(["control", "task", "task", "task", "task"]);
  });

  test("restores of a job that nobody changed what it was created with", async () => {
    const shared = { priorityClass: PriorityClass.BATCH, priority: 50 };
    const scheduling = { ...shared, maxConcurrency: 2, maxFailedTasks: 0, sampleTasks: 0 };
    const tasks = specs.map((spec) => ({ ...spec, priority: { ...shared, isControlled: true } }));
    const manifest = { record: { ...record, scheduling }, tasks };
    await blobs.put(manifestKey(ref), JobManifest.encode(manifest).finish(), "");

    await reconcile();

    const expected = { ...ref, scheduling, paused: false, approved: false };
    expect((await broker.controls.find(ref))?.control).toMatchObject(expected);
  });

  test("is harmless at any time and however often", async () => {
    await finish(1);
    lose();

    for (let round = 0; round < 3; round += 1) await reconcile();

    expect(await queuedSpecs()).toEqual([specs[0], specs[2], specs[3]]);
    expect(await broker.outcomes.list(ref)).toHaveLength(1);
  });

  test("begins again where it was cut short", async () => {
    const add: Broker["queue"]["add"] = async (task) => {
      if (task.spec?.index === 2) throw new Error("the broker is away");
      return await broker.queue.add(task);
    };
    const failing = { ...broker, queue: { ...spread(broker.queue), add } };
    const info = await blobs.stat(manifestKey(ref));
    if (info === undefined) throw new Error("the manifest stands");
    await expect(reconcileJob({ ...needs, broker: failing }, info)).rejects.toThrow("away");
    expect(await broker.jobs.find(ref)).toBeUndefined();

    await reconcile();

    expect(await queuedSpecs()).toEqual(specs);
    expect((await broker.jobs.find(ref))?.record.admitted).toBe(true);
  });

  test("leaves no message of a task that ends while it is added", async () => {
    const add: Broker["queue"]["add"] = async (task) => {
      await finish(task.spec?.index ?? 0);
      return await broker.queue.add(task);
    };
    const racing = { ...broker, queue: { ...spread(broker.queue), add } };
    const info = await blobs.stat(manifestKey(ref));
    if (info !== undefined) await reconcileJob({ ...needs, broker: racing }, info);

    expect(await queued()).toEqual([]);
  });

  test("leaves a job alone that is just being stored", async () => {
    await broker.jobs.create(record);

    expect(await reconcile()).toBe("being-created");

    expect(await queued()).toEqual([]);
  });

  test("completes a job whose broker has lost that it was accepted", async () => {
    await broker.jobs.create(record);
    await broker.queue.add({ spec: specs[0], attempts: 0 });
    live.add(0);
    const later = { ...systemClock, now: () => Date.now() + limits.manifestSettleMs + 5_000 };
    needs = { ...needs, clock: later };

    expect(await reconcile()).toBe("open");

    expect((await broker.jobs.find(ref))?.record).toEqual({ ...record, admitted: true });
    expect(await queuedSpecs()).toEqual(specs);
  });

  test("makes a change of a job again that its broker has lost", async () => {
    const before = { ...ref, scheduling: undefined, paused: false, approved: false };
    await broker.jobs.create({ ...record, admitted: true });
    await broker.controls.put(before, 0n);
    const changed = { ...before, paused: true };
    await blobs.put(controlCopyKey(ref), JobControl.encode(changed).finish(), "");

    for (let round = 0; round < 3; round += 1) await reconcile();

    const standing = await broker.controls.find(ref);
    expect(standing?.control).toEqual(changed);
    expect(standing?.revision).toBe(2n);
  });

  test("removes the manifest and the copies of what was refused, and no picture", async () => {
    await finish(1);
    await broker.jobs.create({ ...record, requestDigest: "" });

    expect(await reconcile()).toBe("removed");

    const keys = await Array.fromAsync(blobs.list(""), ({ key }) => key);
    expect(keys).toEqual([outcomeOf(1).image?.key]);
  });

  test("a round marks the farm as restored, and passes over what it cannot read", async () => {
    await blobs.put("_manifests/default/notes.txt", picture, "text/plain");
    const broken = manifestKey({ ...ref, job: createJobId() });
    await blobs.put(broken, new Uint8Array([255, 255]), "text/plain");

    await reconcileRound(needs, new Set(), never);

    expect(await broker.farm.isRestored()).toBe(true);
    expect(await queued()).toHaveLength(4);
    const counted = await needs.metrics.reconciled.get();
    expect(counted.values).toContainEqual({ labels: { what: "unusable" }, value: 2 });
  });

  test("a round that cannot finish leaves the farm as it was: not restored", async () => {
    const queue = {
      ...spread(broker.queue),
      add: async () => await Promise.reject(new Error("no")),
    };

    const round = reconcileRound({ ...needs, broker: { ...broker, queue } }, new Set(), never);

    await expect(round).rejects.toThrow("no");
    expect(await broker.farm.isRestored()).toBe(false);
  });

  test("an ended job is not looked at twice in a term, until its manifest is old", async () => {
    await broker.jobs.create({ ...record, admitted: true });
    for (const index of [0, 1, 2, 3]) await finish(index);
    const ended = new Set<string>();
    await reconcileRound(needs, ended, never);
    expect([...ended].map(parseManifestKey)).toEqual([ref]);
    const later = { ...systemClock, now: () => Date.now() + limits.outcomeRetentionMs + 5_000 };

    await reconcileRound({ ...needs, clock: later }, ended, never);

    expect(ended.size).toBe(0);
    expect(await blobs.stat(manifestKey(ref))).toBeUndefined();
    expect(await blobs.stat(outcomeCopyKey({ ...ref, index: 1 }, 11n))).toBeUndefined();
    expect(await blobs.stat(imageKey({ ...ref, index: 1 }, 11n))).toBeDefined();
  });
});

/** A queue whose methods can be replaced one by one. */
function spread(queue: Broker["queue"]): Broker["queue"] {
  return {
    bundlesOf: (specs) => queue.bundlesOf(specs),
    addBundle: (specs) => queue.addBundle(specs),
    add: (task) => queue.add(task),
    rewrite: (task, revision) => queue.rewrite(task, revision),
    remove: (revision) => queue.remove(revision),
    removeBefore: (revision) => queue.removeBefore(revision),
    find: (pool, id) => queue.find(pool, id),
    follow: (stop) => queue.follow(stop),
  };
}
