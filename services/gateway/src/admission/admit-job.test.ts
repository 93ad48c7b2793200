import { type Broker, createMemoryFarm } from "@zfarm/broker";
import {
  defaultPool,
  defaultProject,
  FarmError,
  type JobRef,
  jobIdOfRequest,
  OutcomeKind,
  taskIdOf,
} from "@zfarm/contract";
import { Registry, silentLog, systemClock } from "@zfarm/runtime";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fillScheduling } from "../domain/scheduling-rules.ts";
import { createGatewayMetrics } from "../metrics.ts";
import { OutcomeFeed } from "../outcome-feed.ts";
import { type Admission, admitJob } from "./admit-job.ts";
import type { JobManifests } from "./job-manifests.ts";
import { ProjectQuotas } from "./project-quotas.ts";

const image = {
  prompt: "a red house",
  width: 256,
  height: 256,
  steps: 8,
  seed: undefined,
  loras: [],
};

const admission = (count: number, requestId = "r"): Admission => ({
  submission: {
    project: defaultProject,
    pool: defaultPool,
    requestId,
    displayName: "",
    images: Array.from({ length: count }, () => image),
    scheduling: fillScheduling(undefined, "images"),
  },
  digest: "content",
});

const needsOf = (broker: Broker, manifests?: JobManifests) => ({
  broker,
  quotas: new ProjectQuotas({ broker, log: silentLog }),
  manifests,
  drain: { estimateMs: async () => 2_000 },
  feed: new OutcomeFeed({ outcomes: broker.outcomes, log: silentLog }),
  clock: systemClock,
  log: silentLog,
  metrics: createGatewayMetrics(new Registry()),
});

/** The broker, but that something happens before the nth task is added. */
function beforeAdd(broker: Broker, hook: (adds: number) => Promise<void>): Broker {
  let adds = 0;
  const { queue } = broker;
  return {
    ...broker,
    queue: {
      add: async (task) => {
        adds += 1;
        await hook(adds);
        return await queue.add(task);
      },
      rewrite: (task, revision) => queue.rewrite(task, revision),
      remove: (revision) => queue.remove(revision),
      removeBefore: (revision) => queue.removeBefore(revision),
      find: (pool, id) => queue.find(pool, id),
      follow: (stop) => queue.follow(stop),
    },
  };
}

/** The broker, but for `add` failing from its nth call on. */
function failingAfter(broker: Broker, adds: number): Broker {
  return beforeAdd(broker, async (count) => {
    if (count > adds) throw new FarmError("BROKER_UNAVAILABLE", "as scripted");
  });
}

const refOf = (requestId: string): JobRef => ({
  project: defaultProject,
  job: jobIdOfRequest(defaultProject, requestId),
});

async function liveTasks(broker: Broker) {
  const tasks = [];
  for await (const followed of broker.queue.follow(new AbortController().signal)) {
    if (followed.kind === "caught-up") break;
    for (const { task } of followed.entries) if (task.spec !== undefined) tasks.push(task.spec);
  }
  return tasks;
}

describe("admitJob", () => {
  test("what broke halfway is completed by a retry of the same request", async () => {
    const broker = createMemoryFarm().connect();
    const failing = needsOf(failingAfter(broker, 3));

    await expect(admitJob(failing, admission(8))).rejects.toThrow("as scripted");
    expect((await broker.jobs.find(refOf("r")))?.record.admitted).toBe(false);
    const record = await admitJob(needsOf(broker), admission(8));

    expect(record.admitted).toBe(true);
    expect(new Set((await liveTasks(broker)).map(({ index }) => index)).size).toBe(8);
    expect(await broker.outcomes.list(refOf("r"))).toEqual([]);
  });

  test("what broke halfway and nobody could retry is canceled", async () => {
    const broker = createMemoryFarm().connect();
    const failing = needsOf(failingAfter(broker, 3));

    await expect(admitJob(failing, admission(8, ""))).rejects.toThrow("as scripted");

    const [task] = await liveTasks(broker);
    const outcomes = task === undefined ? [] : await broker.outcomes.list(taskIdOf(task));
    expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(
      Array.from({ length: 8 }, () => OutcomeKind.CANCELED),
    );
  });

  test("a task that ended before the retry is not rendered twice", async () => {
    const broker = createMemoryFarm().connect();
    await admitJob(needsOf(failingAfter(broker, 3)), admission(8)).catch(() => undefined);
    const [first] = await liveTasks(broker);
    const end = { worker: "", fence: 0n, attempt: 1, spec: first, kind: OutcomeKind.SUCCEEDED };
    await broker.outcomes.publish(end);
    const stored = first && (await broker.queue.find(defaultPool, taskIdOf(first)));
    if (stored !== undefined) await broker.queue.remove(stored.revision);

    await admitJob(needsOf(broker), admission(8));

    expect((await liveTasks(broker)).map(({ index }) => index)).not.toContain(first?.index);
  });

  test("a try that finds the queue full when another one made it has made it too", async () => {
    const broker = createMemoryFarm().connect();
    const overtaken = beforeAdd(broker, async (count) => {
      if (count !== 3) return;
      await admitJob(needsOf(broker), admission(8));
      throw new FarmError("QUEUE_FULL", "as scripted");
    });

    expect((await admitJob(needsOf(overtaken), admission(8))).admitted).toBe(true);
    expect(await broker.outcomes.list(refOf("r"))).toEqual([]);
    expect(await liveTasks(broker)).toHaveLength(8);
  });

  test("a try that goes on when another one gave up is refused, and nothing runs", async () => {
    const broker = createMemoryFarm().connect();
    const full = beforeAdd(broker, async (count) => {
      if (count > 3) throw new FarmError("QUEUE_FULL", "as scripted");
    });
    const slow = beforeAdd(broker, async (count) => {
      if (count === 5) await admitJob(needsOf(full), admission(8)).catch(() => undefined);
    });

    const trying = admitJob(needsOf(slow), admission(8));

    await expect(trying).rejects.toMatchObject({ code: "QUEUE_FULL" });
    expect(await runnableTasks(broker)).toEqual({});
    const again = await admitJob(needsOf(broker), admission(8));
    expect(await runnableTasks(broker)).toEqual({ [again.job]: 8 });
  });

  test("whatever fails and however often, an accepted job has each task exactly once", async () => {
    const tries = fc.array(fc.nat(12), { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(
      tries,
      fc.integer({ min: 1, max: 10 }),
      async (adds, count) => {
        const broker = createMemoryFarm().connect();
        const attempts = adds.map((left) =>
          admitJob(needsOf(failingAfter(broker, left)), admission(count)),
        );
        await Promise.allSettled(attempts);
        const record = await admitJob(needsOf(broker), admission(count));

        const indexes = (await liveTasks(broker)).map(({ index }) => index);
        expect(record.job).toBe(refOf("r").job);
        expect(indexes.toSorted((a, b) => a - b)).toEqual([...Array(count).keys()]);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  test("with little room, what is refused never runs and what is accepted is whole", async () => {
    // Some of the requests are concurrent tries of one request id.
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.constant(4)),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 6 }),
      async (queueTasksMax, counts, ids) => {
        const broker = createMemoryFarm({ bounds: { queueTasksMax } }).connect();
        const results = await Promise.allSettled(
          ids.map((id) => admitJob(needsOf(broker), admission(counts[id] ?? 1, `r${id}`))),
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
  for (const task of await liveTasks(broker)) {
    if ((await broker.outcomes.find(taskIdOf(task))) !== undefined) continue;
    runnable[task.job] = (runnable[task.job] ?? 0) + 1;
  }
  return runnable;
}
