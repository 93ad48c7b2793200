import { createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, createMemoryFarm, readOutcomeCopy } from "@zfarm/broker";
import {
  controlCopyKey,
  defaultProject,
  FarmError,
  JobControl,
  JobManifest,
  jobIdOfRequest,
  jobName,
  manifestKey,
  OutcomeKind,
  outcomeCopyKey,
  type TaskSpec,
} from "@zfarm/contract";
import { beforeEach, describe, expect, test } from "vitest";
import { admission, admitNeeds, beforeAdd, waitingTasks } from "../../test/builders.ts";
import { findJob } from "../rpc/job-lookup.ts";
import { type Admission, admitJob } from "./admit-job.ts";
import { cancelUnfinished } from "./cancel-tasks.ts";
import { JobManifests } from "./job-manifests.ts";

const ref = { project: defaultProject, job: jobIdOfRequest(defaultProject, "r") };
describe("a farm that keeps manifests", () => {
  let blobs: ReturnType<typeof createMemoryBlobStore>;
  let broker: Broker;
  const needsOf = (gateway: Broker, store: Partial<typeof blobs> = {}) => ({
    ...admitNeeds(gateway),
    manifests: new JobManifests({ ...bound(blobs), ...store }, gateway.outcomes),
  });
  /** Everything that the broker had. */
  const loseBroker = (): void => {
    broker = createMemoryFarm({ bounds: { queueTasksMax: 6 } }).connect();
  };
  const manifest = async (): Promise<JobManifest | undefined> => {
    const bytes = await blobs.get(manifestKey(ref));
    return bytes === undefined ? undefined : JobManifest.decode(bytes);
  };
  const live = async (): Promise<TaskSpec[]> =>
    (await waitingTasks(broker)).toSorted((a, b) => a.index - b.index);
  beforeEach(() => {
    blobs = createMemoryBlobStore();
    broker = createMemoryFarm({ bounds: { queueTasksMax: 6, bundleTasksMax: 1 } }).connect();
  });

  test("has the manifest, with what was drawn, before it stores the first task", async () => {
    const seen: (JobManifest | undefined)[] = [];
    const watched = beforeAdd(broker, async () => {
      seen.push(await manifest());
    });

    await admitJob(needsOf(watched), admission(3));

    expect(seen).toHaveLength(3);
    expect(seen[0]?.tasks).toEqual(await live());
    expect(seen[0]?.record).toMatchObject({ ...ref, taskCount: 3, admitted: false });
  });

  test("knows what has ended before it stores again a job that the broker lost", async () => {
    const needs = needsOf(broker);
    const before = await admitJob(needs, admission(3));
    await cancelUnfinished(needs, before);
    loseBroker();
    const ended: number[] = [];
    const watched = beforeAdd(broker, async () => {
      ended.push((await broker.outcomes.list(ref)).length);
    });

    const again = await admitJob(needsOf(watched), admission(3));

    expect(again).toMatchObject({ ...ref, admitted: true });
    expect(ended).toEqual([3]);
  });

  test("finds a job that the broker lost, and none that never was", async () => {
    const needs = needsOf(broker);
    await admitJob(needs, admission(3));
    loseBroker();
    const lookup = { ...needs, broker };

    const found = await findJob(lookup, jobName(ref), "name");

    expect(found.record).toMatchObject({ ...ref, taskCount: 3, admitted: true });
    const other = jobName({ ...ref, job: jobIdOfRequest(defaultProject, "other") });
    await expect(findJob(lookup, other, "name")).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
  });

  test("accepts nothing while the store is away, and a retry completes it", async () => {
    const away = async () => {
      throw new FarmError("STORE_UNAVAILABLE", "away");
    };

    const trying = admitJob(needsOf(broker, { create: away }), admission(3));

    await expect(trying).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await live()).toEqual([]);
    expect((await admitJob(needsOf(broker), admission(3))).admitted).toBe(true);
    expect(await live()).toHaveLength(3);
  });

  test("draws seeds once, however often a request is retried", async () => {
    const failing = beforeAdd(broker, async (count) => {
      if (count > 1) throw new FarmError("BROKER_UNAVAILABLE", "as scripted");
    });
    await admitJob(needsOf(failing), admission(3)).catch(() => undefined);
    const drawn = (await manifest())?.tasks;

    await admitJob(needsOf(broker), admission(3));

    expect(await live()).toEqual(drawn);
  });

  test("tells whose outcome is unknown what to do", async () => {
    const silent = beforeAdd(broker, async () => {
      throw new FarmError("BROKER_UNAVAILABLE", "timeout");
    });

    await expect(admitJob(needsOf(silent), admission(3))).rejects.toThrow(
      "retry it with the same request_id",
    );
  });

  test.each([3, 7])("keeps no manifest of %i tasks that were refused", async (count) => {
    await admitJob(needsOf(broker), { ...admission(6), submission: other(6) });

    await expect(admitJob(needsOf(broker), admission(count))).rejects.toThrow("the queue is full");

    expect(await manifest()).toBeUndefined();
  });

  test("keeps no manifest of what was refused halfway, and copies no outcome of it", async () => {
    await expect(admitJob(needsOf(broker), admission(7))).rejects.toThrow("the queue is full");

    expect(await manifest()).toBeUndefined();
    expect(await Array.fromAsync(blobs.list(""))).toEqual([]);
  });

  test("takes no other content for a job whose manifest stands", async () => {
    await admitJob(needsOf(broker), admission(2));
    const empty = createMemoryFarm().connect();

    const trying = admitJob(needsOf(empty), admission(2, { digest: "other content" }));

    await expect(trying).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });
  });

  test("keeps what is wanted of a job since, the newest of it", async () => {
    const { manifests } = needsOf(broker);
    for (const paused of [true, false, true]) {
      await manifests.keepControl({ ...ref, scheduling: undefined, paused, approved: false });
    }

    const bytes = await blobs.get(controlCopyKey(ref));
    expect(bytes && JobControl.decode(bytes)).toMatchObject({ ...ref, paused: true });
  });

  test("copies what is canceled on request", async () => {
    const needs = needsOf(broker);
    const record = await admitJob(needs, admission(2));

    await cancelUnfinished(needs, record);

    const copy = await blobs.get(outcomeCopyKey({ ...ref, index: 1 }, 0n));
    expect(copy && readOutcomeCopy(copy)?.kind).toBe(OutcomeKind.CANCELED);
  });
});

/** Another request that fills the queue. */
function other(count: number): Admission["submission"] {
  return { ...admission(count).submission, requestId: "other" };
}

function bound(blobs: ReturnType<typeof createMemoryBlobStore>) {
  return {
    create: blobs.create.bind(blobs),
    get: blobs.get.bind(blobs),
    list: blobs.list.bind(blobs),
    put: blobs.put.bind(blobs),
    remove: blobs.remove.bind(blobs),
  };
}
