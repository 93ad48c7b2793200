/** Verbs of jobs on a whole farm: what is held does not start, and goes on when it may. */
import { spawnSync } from "node:child_process";
import { type Job, JobState, TaskState, WaitReason, WorkerState } from "@zfarm/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliEntry, type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const patience = { timeout: 60_000, interval: 100 };
const small = { prompt: "a red house", width: 128, height: 128, steps: 2 };
const slow = { prompt: "a castle", width: 512, height: 512, steps: 50 };
/** More tokens than the model reads, which only a worker can tell. */
const tooLong = { ...small, prompt: "q7 x3 z9 ".repeat(200) };

const many = (count: number, image = small) =>
  Array.from({ length: count }, (_, index) => ({ ...image, seed: BigInt(index) }));

describe.skipIf(!(await hasNatsServer()))("verbs of jobs", () => {
  let farm: FarmUnderTest;

  beforeAll(async () => {
    farm = await startFarm({ workers: 1 });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  const countsOf = async (job: Job) => (await farm.client.getJob(job.name)).counts;
  const stateOf = async (job: Job) => (await farm.client.getJob(job.name)).state;
  const untilState = (job: Job, state: JobState) =>
    expect.poll(() => stateOf(job), patience).toBe(state);
  /** Passes through the same leader and worker, so a task that may start has started by then. */
  const renderAnother = () => farm.client.renderImage({ ...small, prompt: "a tent" });

  test("a paused job starts nothing, also under a new leader, until it is resumed", async () => {
    const job = await farm.client.createJob({ images: many(200) });
    await expect.poll(async () => (await countsOf(job))?.succeeded, patience).toBeGreaterThan(0);

    await farm.client.pauseJob(job.name);
    await expect.poll(async () => (await countsOf(job))?.running, patience).toBe(0);
    const paused = await countsOf(job);
    await farm.kill("scheduler");
    await renderAnother();

    expect(await countsOf(job)).toEqual(paused);
    expect(await stateOf(job)).toBe(JobState.PAUSED);
    expect(paused?.pending).toBeGreaterThan(0);
    await farm.client.resumeJob(job.name);
    await untilState(job, JobState.SUCCEEDED);
  });

  test("a sample runs first, and the rest once it is approved", async () => {
    const scheduling = { sampleTasks: 2 };
    const job = await farm.client.createJob({ images: many(6), scheduling });
    await untilState(job, JobState.AWAITING_APPROVAL);
    await renderAnother();

    expect(await countsOf(job)).toMatchObject({ succeeded: 2, pending: 4, running: 0 });
    const { explanations } = await farm.client.explainJob(job.name);
    expect(explanations).toMatchObject([{ reason: WaitReason.AWAITING_APPROVAL, tasks: 4 }]);
    await farm.client.approveJob(job.name);

    await untilState(job, JobState.SUCCEEDED);
  });

  test("a change that rests on an old look at the job is refused", async () => {
    const job = await farm.client.createJob({ images: many(4, slow) });
    const paused = await farm.client.pauseJob(job.name);

    const stale = farm.client.updateJob(job.name, { priority: 90 }, { etag: job.etag });
    await expect(stale).rejects.toMatchObject({ code: "CONFLICT" });
    const fresh = await farm.client.updateJob(job.name, { priority: 90 }, { etag: paused.etag });

    expect(fresh).toMatchObject({ state: JobState.PAUSED, scheduling: { priority: 90 } });
    await farm.client.cancelJob(job.name);
  });

  test("what failed is tried again as a job of its own, with the same pictures", async () => {
    const images = [
      { ...small, seed: 1n },
      { ...tooLong, seed: 2n },
    ];
    const job = await farm.client.createJob({ images });
    await untilState(job, JobState.PARTIALLY_SUCCEEDED);

    const retried = await farm.client.retryJob(job.name);
    await untilState(retried, JobState.FAILED);

    expect(retried).toMatchObject({ retryOf: job.name, counts: { total: 1 } });
    for await (const task of farm.client.listTasks(retried.name)) {
      expect(task).toMatchObject({ spec: images[1], failure: { reason: "PROMPT_TOO_LONG" } });
    }
    expect(await stateOf(job)).toBe(JobState.PARTIALLY_SUCCEEDED);
  });

  test("a job beyond its failure budget fails but for what runs", async () => {
    const images = [tooLong, ...many(6, slow)];
    const scheduling = { maxFailedTasks: 1, maxConcurrency: 1 };

    const job = await farm.client.createJob({ images, scheduling });
    for await (const _ of farm.client.watchJob(job.name));

    const reasons = new Map<string, number>();
    for await (const { failure } of farm.client.listTasks(job.name)) {
      const reason = failure?.reason ?? "none";
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect(reasons.get("PROMPT_TOO_LONG")).toBe(1);
    // While the failure is on its way to the log, one more may begin.
    expect(reasons.get("JOB_FAILURE_BUDGET")).toBeGreaterThanOrEqual(5);
  });

  test("no more tasks of a job run at once than it says", async () => {
    const job = await farm.client.createJob({
      images: many(12),
      scheduling: { maxConcurrency: 1 },
    });
    let runningMost = 0;
    const looking = async (): Promise<JobState> => {
      const { counts, state } = await farm.client.getJob(job.name);
      runningMost = Math.max(runningMost, counts?.running ?? 0);
      return state;
    };

    await expect.poll(looking, { ...patience, interval: 5 }).toBe(JobState.SUCCEEDED);

    expect(runningMost).toBe(1);
  });

  test("a busy farm says why each task waits, in words that a person can act on", async () => {
    const busy = await farm.client.createJob({ images: many(12, slow) });
    const job = await farm.client.createJob({ images: many(3), displayName: "waits" });

    const { explanations, counts } = await farm.client.explainJob(busy.name);
    const waiting = explanations.reduce((sum, { tasks }) => sum + tasks, 0);
    await farm.client.pauseJob(job.name);
    const task = await farm.client.explainTask(`${job.name}/tasks/2`);
    const args = ["job", "explain", job.name, "--address", farm.address];
    const run = spawnSync(process.execPath, [cliEntry, ...args], { encoding: "utf8" });

    expect(waiting).toBe(counts?.pending);
    expect(explanations.every(({ detail, release }) => detail !== "" && release !== "")).toBe(true);
    expect(task.state).toBe(TaskState.PENDING);
    expect(task.explanation?.reason).toBe(WaitReason.JOB_PAUSED);
    expect(run.stdout).toMatch(/REASON +TASKS +STARTS +WHY +RELEASED BY\njob_paused +3 +not by/);
    await Promise.all([busy, job].map(({ name }) => farm.client.cancelJob(name)));
  });

  test("second tries of a pool are switched on and off by command", async () => {
    const pool = (...words: string[]): string => {
      const args = ["pool", ...words, "--address", farm.address];
      return spawnSync(process.execPath, [cliEntry, ...args], { encoding: "utf8" }).stdout;
    };

    expect(pool("set", "default", "--speculate-after", "2.2")).toContain("takes 2.2 times longer");
    expect((await farm.client.getPoolPolicy("pools/default")).speculateAfter).toBeCloseTo(2.2);
    expect(pool("set", "pools/default", "--speculate-after", "off")).toContain("tries no task");
    expect(pool("get", "default")).toContain("pools/default: tries no task twice at once");
  });

  test.each(["pools/default", "workers/worker-1"])(
    "%s starts nothing while it drains, and says so",
    async (name) => {
      await farm.client.drain(name);
      const job = await farm.client.createJob({ images: many(1) });
      const reasons = async () =>
        (await farm.client.explainJob(job.name)).explanations.map(({ reason }) => reason);
      await expect.poll(reasons, patience).toEqual([WaitReason.DRAINING]);

      await farm.client.resume(name);

      await untilState(job, JobState.SUCCEEDED);
    },
  );

  test("a worker that drains says so, and that it takes work again", async () => {
    const states = async () => (await farm.client.listWorkers()).map(({ state }) => state);

    await farm.client.drain("workers/worker-1");
    await expect.poll(states, patience).toEqual([WorkerState.DRAINING]);
    await farm.client.resume("workers/worker-1");

    await expect.poll(states, patience).toEqual([WorkerState.READY]);
  });

  test("a project's bound on waiting tasks refuses a job whole", async () => {
    const share = await farm.client.getProjectPolicy("projects/default");
    await farm.client.updateProjectPolicy({ ...share, queuedTasksMax: 5 });
    const refusal = () => farm.client.createJob({ images: many(6) }).catch(({ code }) => code);

    await expect.poll(refusal, patience).toBe("QUOTA_EXCEEDED");

    const job = await farm.client.createJob({ images: many(5) });
    await farm.client.updateProjectPolicy(share);
    await untilState(job, JobState.SUCCEEDED);
  });
});
