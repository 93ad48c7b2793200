/** Jobs of several bundles: what a try leaves behind, and what the next one makes of it. */
import { type Broker, createMemoryFarm } from "@zfarm/broker";
import {
  defaultPool,
  defaultProject,
  FarmError,
  jobIdOfRequest,
  OutcomeKind,
  type TaskSpec,
  taskIdOf,
} from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { admission, admitNeeds, beforeAdd, waitingTasks } from "../../test/builders.ts";
import { admitJob } from "./admit-job.ts";

const open = (): Broker => createMemoryFarm({ bounds: { bundleTasksMax: 3 } }).connect();
const job = { project: defaultProject, job: jobIdOfRequest(defaultProject, "r") };

/** The broker, but for a failure from its nth message on. */
function failingAfter(broker: Broker, messages: number): Broker {
  return beforeAdd(broker, async (count) => {
    if (count > messages) throw new FarmError("BROKER_UNAVAILABLE", "as scripted");
  });
}

async function endTask(broker: Broker, spec: TaskSpec): Promise<void> {
  const outcome = { spec, kind: OutcomeKind.SUCCEEDED, worker: "", fence: 0n, attempt: 1 };
  await broker.outcomes.publish(outcome);
}

async function messageOf(broker: Broker, index: number): Promise<bigint> {
  return (await broker.queue.find(defaultPool, { ...job, index }))?.revision ?? 0n;
}

describe("admitJob, bundle by bundle", () => {
  test("a retry adds the bundles that are missing", async () => {
    const broker = open();
    await admitJob(admitNeeds(failingAfter(broker, 2)), admission(8)).catch(() => undefined);
    expect(await waitingTasks(broker)).toHaveLength(6);
    const first = await messageOf(broker, 0);

    await admitJob(admitNeeds(broker), admission(8));

    const indexes = (await waitingTasks(broker)).map(({ index }) => index);
    expect(indexes).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await messageOf(broker, 0)).toBe(first);
  });

  test("a bundle whose tasks have all ended is not rendered again by a retry", async () => {
    const broker = open();
    await admitJob(admitNeeds(failingAfter(broker, 2)), admission(8)).catch(() => undefined);
    const tasks = await waitingTasks(broker);
    for (const spec of tasks.slice(0, 3)) await endTask(broker, spec);
    await broker.queue.remove(await messageOf(broker, 0));

    await admitJob(admitNeeds(broker), admission(8));

    const indexes = (await waitingTasks(broker)).map(({ index }) => index);
    expect(indexes).toEqual([3, 4, 5, 6, 7]);
  });

  test("an ended task takes no bundle away from those that live in it", async () => {
    const broker = open();
    await admitJob(admitNeeds(failingAfter(broker, 1)), admission(6)).catch(() => undefined);
    const [, , third] = await waitingTasks(broker);
    if (third !== undefined) await endTask(broker, third);
    await broker.queue.remove(await messageOf(broker, 0));

    await admitJob(admitNeeds(broker), admission(6));

    const indexes = (await waitingTasks(broker)).map(({ index }) => index);
    expect(indexes.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("a queue that has no room for all of them keeps none", async () => {
    const broker = createMemoryFarm({ bounds: { bundleTasksMax: 3, queueTasksMax: 2 } }).connect();

    const refused = admitJob(admitNeeds(broker), admission(8));

    await expect(refused).rejects.toMatchObject({ code: "QUEUE_FULL" });
    for (const task of await waitingTasks(broker)) {
      expect(await broker.outcomes.find(taskIdOf(task))).toBeDefined();
    }
  });

  test("a farm without room for its tasks refuses a job before anything is stored", async () => {
    const broker = open();
    const needs = { ...admitNeeds(broker), room: { take: async () => false } };

    await expect(admitJob(needs, admission(8))).rejects.toMatchObject({
      code: "QUEUE_FULL",
      retryAfterMs: 2_000,
    });

    expect(await broker.jobs.find(job)).toBeUndefined();
    expect(await waitingTasks(broker)).toEqual([]);
  });

  test("a request that was admitted before is so still, whatever room there is", async () => {
    const broker = open();
    const record = await admitJob(admitNeeds(broker), admission(8));
    const needs = { ...admitNeeds(broker), room: { take: async () => false } };

    expect((await admitJob(needs, admission(8))).job).toBe(record.job);
  });
});
