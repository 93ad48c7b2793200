import { type BlobStore, createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, createMemoryFarm } from "@zfarm/broker";
import {
  createJobId,
  defaultPool,
  defaultProject,
  FarmError,
  JobManifest,
  manifestKey,
} from "@zfarm/contract";
import { type Clock, type RunningApp, silentLog, startApp, systemClock } from "@zfarm/runtime";
import { createManualClock } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { buildTask } from "../testing/drive-core.ts";
import { readSchedulerConfig } from "./config.ts";
import { wireScheduler } from "./wire-scheduler.ts";

const ref = { project: defaultProject, job: createJobId() };
const record = {
  ...ref,
  requestDigest: "d",
  pool: defaultPool,
  displayName: "",
  taskCount: 1,
  admitted: false,
};

describe("a leader with an object store", () => {
  let blobs: BlobStore;
  let farm: ReturnType<typeof createMemoryFarm>;
  let broker: Broker;
  const apps: RunningApp[] = [];

  beforeEach(async () => {
    farm = createMemoryFarm();
    broker = farm.connect();
    blobs = createMemoryBlobStore();
    const { spec } = buildTask(0, { job: ref.job });
    const manifest = JobManifest.encode({ record, tasks: spec === undefined ? [] : [spec] });
    await blobs.put(manifestKey(ref), manifest.finish(), "application/x-protobuf");
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.stop();
  });

  async function start(
    store: BlobStore,
    { link = farm.connect(), clock = systemClock }: { link?: Broker; clock?: Clock } = {},
  ): Promise<RunningApp> {
    const config = readSchedulerConfig({ SCHEDULER_ID: "s1", DURABILITY: "manifest" });
    const app = startApp({
      name: "scheduler",
      log: silentLog,
      clock,
      wire: (wiring) => wireScheduler(wiring, config, { broker: link, blobs: store }),
    });
    apps.push(app);
    await app.ready;
    return app;
  }

  async function leads(): Promise<boolean> {
    return await broker.queries.ask({ query: { $case: "listWorkers", value: { pool: "" } } }).then(
      () => true,
      () => false,
    );
  }

  test("leads while the store is away, but is not ready until the farm is restored", async () => {
    let isAway = true;
    const store: BlobStore = {
      ...blobs,
      get: (key) => blobs.get(key),
      list: (prefix, after) => {
        if (isAway) throw new FarmError("STORE_UNAVAILABLE", "away");
        return blobs.list(prefix, after);
      },
    };

    const app = await start(store);
    await expect.poll(leads).toBe(true);
    await expect
      .poll(() => app.problems())
      .toEqual(["the farm is being restored from its manifests"]);
    expect(await broker.farm.isRestored()).toBe(false);

    isAway = false;
    await expect.poll(() => app.problems()).toEqual([]);
    expect((await broker.jobs.find(ref))?.record.admitted).toBe(true);
    expect(await leads()).toBe(true);
  });

  test("ends its term for nothing that it finds in the store", async () => {
    await blobs.put(manifestKey(ref), new Uint8Array([255]), "application/x-protobuf");

    const app = await start(blobs);

    await expect.poll(() => broker.farm.isRestored()).toBe(true);
    expect(await app.problems()).toEqual([]);
    expect(await leads()).toBe(true);
  });

  test("looks for what deleted adapters left every hour, not in every sweep", async () => {
    const clock = createManualClock(Date.now());
    const link = farm.connect();
    const looks = vi.spyOn(link.loras, "listAll");
    await start(blobs, { link, clock });
    await expect.poll(() => broker.farm.isRestored()).toBe(true);
    const pass = async (minutes: number): Promise<void> => {
      for (let minute = 0; minute < minutes; minute += 1) {
        await clock.sleeping();
        await clock.advance(60_000);
      }
    };

    await pass(59);
    expect(looks).toHaveBeenCalledTimes(1);
    await pass(5);
    expect(looks).toHaveBeenCalledTimes(2);
  });

  test("stops in time in the middle of a round", async () => {
    const never = new Promise<undefined>(() => undefined);
    const listed = Promise.withResolvers<void>();
    const list = async function* () {
      listed.resolve();
      for await (const info of blobs.list("")) yield info;
      await never;
    };
    const app = await start({ ...blobs, get: (key) => blobs.get(key), list });
    await listed.promise;

    await app.stop();

    expect(await app.done).toBe(0);
  });
});
