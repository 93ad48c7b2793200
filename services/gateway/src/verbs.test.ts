/** Verbs of jobs: what a client asks for, and what the leader will read in the logs. */
import { JobState, PriorityClass, parseJobName, TaskState, WaitReason } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm } from "../test/test-farm.ts";

const images = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ prompt: `house ${index}`, seed: BigInt(index) }));

const inAnHour = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000);

let farm: TestFarm;
beforeEach(async () => {
  farm = await openTestFarm();
});
afterEach(async () => {
  await farm.stop();
});

async function controlOf(name: string) {
  const ref = parseJobName(name);
  return ref && (await farm.broker.controls.find(ref))?.control;
}

describe("scheduling", () => {
  test("of a job goes into its tasks, and what holds it as a whole into its control", async () => {
    const scheduling = {
      priorityClass: PriorityClass.BATCH,
      priority: 90,
      deadlineTime: inAnHour,
      maxConcurrency: 2,
      maxFailedTasks: 1,
      sampleTasks: 1,
    };

    const job = await farm.client.createJob({ images: images(2), scheduling });

    expect(job.scheduling).toEqual(scheduling);
    expect(await controlOf(job.name)).toMatchObject({ scheduling, paused: false, approved: false });
    const specs = (await farm.queued()).map(({ task }) => task.spec?.priority);
    const { priorityClass, priority, deadlineTime } = scheduling;
    const priorities = { priorityClass, priority, deadlineTime, isControlled: true };
    expect(specs).toEqual([priorities, priorities]);
  });

  test("by default: jobs are standard, single pictures interactive, and none is held", async () => {
    const job = await farm.client.createJob({ images: images(1) });
    const rendering = farm.client.renderImage({ prompt: "a boat" });
    const specs = await farm.take(2);
    for (const spec of specs) await farm.succeed(spec);
    await rendering;

    const [standard, interactive] = specs.map((spec) => spec.priority);
    expect(standard).toMatchObject({ priorityClass: PriorityClass.STANDARD, priority: 50 });
    expect(interactive).toMatchObject({ priorityClass: PriorityClass.INTERACTIVE, priority: 50 });
    expect(job).toMatchObject({ etag: "0", scheduling: { priority: 50 } });
    expect(await controlOf(job.name)).toBeUndefined();
  });

  test("is part of a request: the same id with another one is refused", async () => {
    const request = { images: images(1), requestId: "r" };
    await farm.client.createJob({ ...request, scheduling: { priority: 7 } });

    await farm.client.createJob({ ...request, scheduling: { priority: 7 } });
    const other = farm.client.createJob({ ...request, scheduling: { priority: 8 } });

    await expect(other).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });
  });
});

describe("pause and resume", () => {
  test("change the control, the state and the etag, and are harmless when repeated", async () => {
    const job = await farm.client.createJob({ images: images(2) });

    const paused = await farm.client.pauseJob(job.name);
    const again = await farm.client.pauseJob(job.name);
    const resumed = await farm.client.resumeJob(job.name);

    expect(paused.state).toBe(JobState.PAUSED);
    expect(again).toEqual(paused);
    expect(paused.etag).not.toBe(job.etag);
    expect(resumed.state).toBe(JobState.QUEUED);
    expect(await controlOf(job.name)).toMatchObject({ paused: false, scheduling: job.scheduling });
  });

  test("resuming what was never paused writes nothing", async () => {
    const job = await farm.client.createJob({ images: images(1) });

    expect(await farm.client.resumeJob(job.name)).toMatchObject({ etag: "0" });
    expect(await controlOf(job.name)).toBeUndefined();
  });

  test("that come at once all count", async () => {
    const job = await farm.client.createJob({ images: images(1) });

    await Promise.all([
      farm.client.pauseJob(job.name),
      farm.client.updateJob(job.name, { priority: 3 }),
      farm.client.updateJob(job.name, { maxConcurrency: 4 }),
    ]);

    const scheduling = { priority: 3, maxConcurrency: 4 };
    expect(await controlOf(job.name)).toMatchObject({ paused: true, scheduling });
  });
});

describe("approval", () => {
  test("is waited for once the sample has ended, and lets the rest run", async () => {
    const scheduling = { sampleTasks: 2 };
    const job = await farm.client.createJob({ images: images(3), scheduling });
    const [first, second] = await farm.take(2);
    if (first !== undefined) await farm.succeed(first);
    expect(await farm.client.getJob(job.name)).toMatchObject({ state: JobState.RUNNING });
    if (second !== undefined) await farm.fail(second, "NAN_OUTPUT");

    expect(await farm.client.getJob(job.name)).toMatchObject({ state: JobState.AWAITING_APPROVAL });
    const approved = await farm.client.approveJob(job.name);

    expect(approved.state).toBe(JobState.RUNNING);
    expect(await controlOf(job.name)).toMatchObject({ approved: true });
    expect(await farm.client.approveJob(job.name)).toEqual(approved);
  });

  test("of a job without a sample is refused", async () => {
    const job = await farm.client.createJob({ images: images(1) });

    await expect(farm.client.approveJob(job.name)).rejects.toMatchObject({ code: "NO_SAMPLE" });
  });
});

describe("update", () => {
  test("changes the fields of its mask alone, and clears those without a value", async () => {
    const scheduling = { priority: 9, deadlineTime: inAnHour, maxConcurrency: 3 };
    const job = await farm.client.createJob({ images: images(2), scheduling });

    const updated = await farm.client.updateJob(
      job.name,
      { priority: 80, deadlineTime: undefined },
      { etag: job.etag },
    );

    const expected = { priority: 80, deadlineTime: undefined, maxConcurrency: 3 };
    expect(updated.scheduling).toMatchObject(expected);
    expect(await farm.client.getJob(job.name)).toEqual(updated);
  });

  test("that rests on an old look at the job is refused, but a repeated one is not", async () => {
    const job = await farm.client.createJob({ images: images(2) });
    await farm.client.updateJob(job.name, { priority: 80 }, { etag: job.etag });

    const stale = farm.client.updateJob(job.name, { priority: 70 }, { etag: job.etag });
    const repeated = farm.client.updateJob(job.name, { priority: 80 }, { etag: job.etag });

    await expect(stale).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await repeated).toMatchObject({ scheduling: { priority: 80 } });
  });

  test("is held to the bounds of a create", async () => {
    const job = await farm.client.createJob({ images: images(2) });

    const update = farm.client.updateJob(job.name, { sampleTasks: 3, deadlineTime: new Date(5) });

    const fields = ["job.scheduling.deadline_time", "job.scheduling.sample_tasks"];
    const violations = fields.map((field) => ({ field, reason: "OUT_OF_RANGE" }));
    await expect(update).rejects.toMatchObject({ code: "INVALID_REQUEST", violations });
  });
});

describe("retry", () => {
  test("makes a job of what failed, with the same pictures, once for a request", async () => {
    const scheduling = { priority: 9, sampleTasks: 1, maxFailedTasks: 4 };
    const job = await farm.client.createJob({ images: images(4), scheduling });
    const [one, two, three] = await farm.take(4);
    if (one && two && three) {
      await farm.succeed(one);
      await farm.fail(three, "NAN_OUTPUT");
      await farm.fail(two, "NAN_OUTPUT");
    }

    const retried = await farm.client.retryJob(job.name, { requestId: "again" });
    // One more fails before the same request comes again.
    for (const { task } of await farm.queued()) {
      if (task.spec?.job === one?.job && task.spec !== undefined) await farm.fail(task.spec, "X");
    }
    const repeated = await farm.client.retryJob(job.name, { requestId: "again" });

    expect(repeated.name).toBe(retried.name);
    expect(retried).toMatchObject({ retryOf: job.name, counts: { total: 2 } });
    const expected = { priority: 9, sampleTasks: 0, maxFailedTasks: 2 };
    expect(retried.scheduling).toMatchObject(expected);
    const images2 = (await farm.queued()).map(({ task }) => task.spec?.image);
    expect(images2.map((image) => image?.seed)).toEqual([three?.image?.seed, two?.image?.seed]);
    expect(images2[0]).toEqual(three?.image);
  });

  test("of a job without failures is refused", async () => {
    const job = await farm.client.createJob({ images: images(1) });

    const retry = farm.client.retryJob(job.name);

    await expect(retry).rejects.toMatchObject({ code: "NOTHING_FAILED" });
  });

  test("of pictures that the pool cannot draw any more is refused", async () => {
    const job = await farm.client.createJob({ images: images(1) });
    const [task] = await farm.take();
    const stack = { adapters: [{ digest: "d", weight: 1, rank: 144, sizeBytes: 1n }] };
    if (task !== undefined) await farm.fail({ ...task, stack }, "NAN_OUTPUT");

    const retry = farm.client.retryJob(job.name);

    const message = "the adapters have rank 144 together; pool default takes 128";
    await expect(retry).rejects.toMatchObject({ code: "NO_CAPABLE_POOL", message });
  });
});

describe("explanations", () => {
  const explanation = {
    reason: WaitReason.FAIR_SHARE,
    tasks: 1,
    detail: "others come first",
    release: "wait",
    earliestStartTime: inAnHour,
    missesDeadline: false,
  };

  test("come from the leader, the reason of most tasks first", async () => {
    farm.explanations = [explanation, { ...explanation, reason: WaitReason.CAPACITY, tasks: 2 }];
    const job = await farm.client.createJob({ images: images(3) });

    const { explanations, counts } = await farm.client.explainJob(job.name);

    const reasons = [WaitReason.CAPACITY, WaitReason.FAIR_SHARE];
    expect(explanations.map(({ reason }) => reason)).toEqual(reasons);
    expect(counts).toMatchObject({ pending: 3 });
  });

  test("of a task say that it waits and why, that it runs, or how it ended", async () => {
    farm.explanations = [explanation];
    const job = await farm.client.createJob({ images: images(3) });
    const [first] = await farm.take();
    if (first !== undefined) await farm.succeed(first);
    farm.live = [{ index: 1, position: 0, worker: "one", attempt: 1, step: 2 }];
    const explain = (index: number) => farm.client.explainTask(`${job.name}/tasks/${index}`);

    expect(await explain(0)).toEqual({ state: TaskState.SUCCEEDED, explanation: undefined });
    expect(await explain(1)).toEqual({ state: TaskState.RUNNING, explanation: undefined });
    expect(await explain(2)).toEqual({ state: TaskState.PENDING, explanation });
    await expect(explain(3)).rejects.toMatchObject({ code: "TASK_NOT_FOUND" });
  });
});

describe("every verb", () => {
  const verbs = ["pauseJob", "resumeJob", "approveJob"] as const;

  test.each(verbs)("%s on a job that has ended is refused", async (verb) => {
    const job = await farm.client.createJob({ images: images(1), scheduling: { sampleTasks: 1 } });
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);

    await expect(farm.client[verb](job.name)).rejects.toMatchObject({ code: "JOB_ENDED" });
    expect(await farm.client.explainJob(job.name)).toMatchObject({ explanations: [] });
  });

  const all = [...verbs, "retryJob", "explainJob"] as const;

  test.each(all)("%s of a job that nobody created is NOT_FOUND", async (verb) => {
    const job = await farm.client.createJob({ images: images(1) });
    const foreign = job.name.replace("default", "other");

    await expect(farm.client[verb](foreign)).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
  });
});
