import { type Broker, createMemoryFarm } from "@zfarm/broker";
import {
  defaultPool,
  defaultProject,
  FarmError,
  type JobRecord,
  type JobRef,
  jobIdOfRequest,
  OutcomeKind,
  taskIdOf,
} from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admission, admitNeeds, beforeAdd, waitingTasks } from "../../test/builders.ts";
import { admitJob } from "./admit-job.ts";

/** The broker, but for `add` failing from its nth call on. */
function failingAfter(broker: Broker, adds: number): Broker {
  return beforeAdd(broker, async (count) => {
    if (count > adds) throw new FarmError("BROKER_UNAVAILABLE", "as scripted");
  });
}

/** Every task in a message of its own. */
const oneEach = { bounds: { bundleTasksMax: 1 } };

const refOf = (requestId: string): JobRef => ({
  project: defaultProject,
  job: jobIdOfRequest(defaultProject, requestId),
});

describe("admitJob", () => {
  test("what broke halfway is completed by a retry of the same request", async () => {
    const broker = createMemoryFarm(oneEach).connect();
    const failing = admitNeeds(failingAfter(broker, 3));

    await expect(admitJob(failing, admission(8))).rejects.toThrow("as scripted");
    expect((await broker.jobs.find(refOf("r")))?.record.admitted).toBe(false);
    const record = await admitJob(admitNeeds(broker), admission(8));

    expect(record.admitted).toBe(true);
    expect(new Set((await waitingTasks(broker)).map(({ index }) => index)).size).toBe(8);
    expect(await broker.outcomes.list(refOf("r"))).toEqual([]);
  });

  test("what broke halfway and nobody could retry is canceled", async () => {
    const broker = createMemoryFarm(oneEach).connect();
    const failing = admitNeeds(failingAfter(broker, 3));

    await expect(admitJob(failing, admission(8, { requestId: "" }))).rejects.toThrow("as scripted");

    const [task] = await waitingTasks(broker);
    const outcomes = task === undefined ? [] : await broker.outcomes.list(taskIdOf(task));
    expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(
      Array.from({ length: 8 }, () => OutcomeKind.CANCELED),
    );
  });

  test("a task that ended before the retry is not rendered twice", async () => {
    const broker = createMemoryFarm(oneEach).connect();
    await admitJob(admitNeeds(failingAfter(broker, 3)), admission(8)).catch(() => undefined);
    const [first] = await waitingTasks(broker);
    const end = { worker: "", fence: 0n, attempt: 1, spec: first, kind: OutcomeKind.SUCCEEDED };
    await broker.outcomes.publish(end);
    const stored = first && (await broker.queue.find(defaultPool, taskIdOf(first)));
    if (stored !== undefined) await broker.queue.remove(stored.revision);

    await admitJob(admitNeeds(broker), admission(8));

    expect((await waitingTasks(broker)).map(({ index }) => index)).not.toContain(first?.index);
  });

  test("a try that finds the queue full when another one made it has made it too", async () => {
    const broker = createMemoryFarm(oneEach).connect();
    const overtaken = beforeAdd(broker, async (count) => {
      if (count !== 3) return;
      await admitJob(admitNeeds(broker), admission(8));
      throw new FarmError("QUEUE_FULL", "as scripted");
    });

    expect((await admitJob(admitNeeds(overtaken), admission(8))).admitted).toBe(true);
    expect(await broker.outcomes.list(refOf("r"))).toEqual([]);
    expect(await waitingTasks(broker)).toHaveLength(8);
  });

  test("a try that goes on when another one gave up is refused, and nothing runs", async () => {
    const broker = createMemoryFarm(oneEach).connect();
    const full = beforeAdd(broker, async (count) => {
      if (count > 3) throw new FarmError("QUEUE_FULL", "as scripted");
    });
    const slow = beforeAdd(broker, async (count) => {
      if (count === 5) await admitJob(admitNeeds(full), admission(8)).catch(() => undefined);
    });

    const trying = admitJob(admitNeeds(slow), admission(8));

    await expect(trying).rejects.toMatchObject({ code: "QUEUE_FULL" });
    expect(await runnableTasks(broker)).toEqual({});
    const again = await admitJob(admitNeeds(broker), admission(8));
    expect(await runnableTasks(broker)).toEqual({ [again.job]: 8 });
  });

  test("where the broker lost the record, nothing is undone and a retry is asked for", async () => {
    const broker = createMemoryFarm(oneEach).connect();
    const jobs: Broker["jobs"] = Object.create(broker.jobs, {
      create: { value: (record: JobRecord) => broker.jobs.create(record) },
      find: { value: async () => undefined },
      update: { value: async () => "conflict" },
    });

    const trying = admitJob(admitNeeds({ ...broker, jobs }), admission(3));

    await expect(trying).rejects.toThrow("retry it with the same request_id");
    expect(Object.values(await runnableTasks(broker))).toEqual([3]);
  });

  const silentAtMark = (broker: Broker): Broker["jobs"] =>
    Object.create(broker.jobs, {
      create: { value: (record: JobRecord) => broker.jobs.create(record) },
      find: { value: (job: JobRef) => broker.jobs.find(job) },
      update: {
        value: async (record: JobRecord, revision: bigint) => {
          if (!record.admitted) return await broker.jobs.update(record, revision);
          throw new FarmError("BROKER_UNAVAILABLE", "as scripted");
        },
      },
    });

  test("where the broker falls silent at the last write, a retry completes the job", async () => {
    const broker = createMemoryFarm(oneEach).connect();

    const trying = admitJob(admitNeeds({ ...broker, jobs: silentAtMark(broker) }), admission(3));

    await expect(trying).rejects.toThrow("retry it with the same request_id");
    const again = await admitJob(admitNeeds(broker), admission(3));
    expect(again.admitted).toBe(true);
    expect(await runnableTasks(broker)).toEqual({ [again.job]: 3 });
  });

  test("and without a request id nothing of it runs", async () => {
    const broker = createMemoryFarm(oneEach).connect();
    const silent = admitNeeds({ ...broker, jobs: silentAtMark(broker) });

    const trying = admitJob(silent, admission(3, { requestId: "" }));

    await expect(trying).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    expect(await runnableTasks(broker)).toEqual({});
  });

  test("whatever fails and however often, an accepted job has each task exactly once", async () => {
    const tries = fc.array(fc.nat(12), { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(
      tries,
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 4 }),
      async (adds, count, bundleTasksMax) => {
        const broker = createMemoryFarm({ bounds: { bundleTasksMax } }).connect();
        const attempts = adds.map((left) =>
          admitJob(admitNeeds(failingAfter(broker, left)), admission(count)),
        );
        await Promise.allSettled(attempts);
        const record = await admitJob(admitNeeds(broker), admission(count));

        const indexes = (await waitingTasks(broker)).map(({ index }) => index);
        expect(record.job).toBe(refOf("r").job);
        expect(indexes.toSorted((a, b) => a - b)).toEqual([...Array(count).keys()]);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  test("with little room, what is refused never runs and what is accepted is whole", async () => {
    // Some of the requests are concurrent tries of one request id.
    const property = fc.asyncProperty(
      fc.record({
        queueTasksMax: fc.integer({ min: 1, max: 12 }),
        bundleTasksMax: fc.integer({ min: 1, max: 3 }),
      }),
      fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.constant(4)),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 6 }),
      async (bounds, counts, ids) => {
        const broker = createMemoryFarm({ bounds }).connect();
        const results = await Promise.allSettled(
          ids.map((id) =>
            admitJob(admitNeeds(broker), admission(counts[id] ?? 1, { requestId: `r${id}` })),
          ),
        );

        const accepted = results.flatMap((result) =>
          result.status === "fulfilled" ? [[result.value.job, result.value.taskCount]] : [],
        );
        expect(await runnableTasks(broker)).toEqual(Object.fromEntries(accepted));
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });
});

/** Live tasks without an outcome, counted by job. */
async function runnableTasks(broker: Broker): Promise<Record<string, number>> {
  const runnable: Record<string, number> = {};
  for (const task of await waitingTasks(broker)) {
    if ((await broker.outcomes.find(taskIdOf(task))) !== undefined) continue;
    runnable[task.job] = (runnable[task.job] ?? 0) + 1;
  }
  return runnable;
}
