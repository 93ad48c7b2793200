import { credentials } from "@grpc/grpc-js";
import { connectFarm } from "@zfarm/client";
import {
  JobServiceClient,
  limits,
  parseJobName,
  TaskState,
  type WatchJobRequest,
  type WatchJobResponse,
} from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm } from "../test/test-farm.ts";
import { resumeTokensOf } from "./domain/tokens.ts";

const images = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ prompt: `house ${index}` }));

const describeEvent = ({ event }: WatchJobResponse): string => {
  if (event?.$case === "taskEnded") return `ended ${event.value.name.split("/").at(-1)}`;
  return event?.$case ?? "";
};

describe("WatchJob", () => {
  let farm: TestFarm;
  beforeEach(async () => {
    farm = await openTestFarm();
  });
  afterEach(async () => {
    await farm.stop();
  });

  test("tells of every outcome once and in order, then of the job, then ends", async () => {
    const job = await farm.client.createJob({ images: images(3) });
    const [first, second, third] = await farm.take(3);
    if (first !== undefined) await farm.succeed(first);

    const seen: string[] = [];
    for await (const event of farm.client.watchJob(job.name)) {
      seen.push(describeEvent(event));
      if (seen.length === 1 && third !== undefined) await farm.succeed(third);
      if (seen.length === 2 && second !== undefined) await farm.fail(second, "OOM");
    }

    const [one, two, three] = [first, third, second].map((task) => `ended ${task?.index}`);
    expect(seen).toEqual([one, two, three, "jobEnded"]);
  });

  test("goes on after any token, without a gap or a repeat", async () => {
    const job = await farm.client.createJob({ images: images(6) });
    for (const task of await farm.take(6)) await farm.succeed(task);
    const whole: WatchJobResponse[] = [];
    for await (const event of farm.client.watchJob(job.name)) whole.push(event);

    for (const [at, { resumeToken }] of whole.slice(0, -1).entries()) {
      const rest: WatchJobResponse[] = [];
      for await (const event of farm.client.watchJob(job.name, { resumeToken })) rest.push(event);
      expect(rest).toEqual(whole.slice(at + 1));
    }
    expect(whole).toHaveLength(7);
  });

  test("puts several events into one answer only for who says that it takes them", async () => {
    const count = limits.watchEventsMax + 2;
    const job = await farm.client.createJob({ images: images(count) });
    for (const task of await farm.take(count)) await farm.succeed(task);
    const grpc = new JobServiceClient(farm.address, credentials.createInsecure());
    const watch = (request: Partial<WatchJobRequest>): Promise<WatchJobResponse[]> =>
      Array.fromAsync(grpc.watchJob({ name: job.name, resumeToken: "", ...request }));

    const single = await watch({});
    const several = await watch({ takeSeveral: true });
    grpc.close();

    expect(single).toHaveLength(count + 1);
    expect(single.every(({ more }) => more === undefined)).toBe(true);
    expect(several.map(({ more }) => more?.events.length)).toEqual([
      limits.watchEventsMax - 1,
      1,
      undefined,
    ]);
    const unrolled = several.flatMap(({ more, ...first }) => [first, ...(more?.events ?? [])]);
    expect(unrolled).toEqual(single);
  });

  test("survives a gateway that is replaced while the watch is open", async () => {
    const job = await farm.client.createJob({ images: images(4) });
    const tasks = await farm.take(4);
    const seen: string[] = [];
    if (tasks[0] !== undefined) await farm.succeed(tasks[0]);

    for await (const event of farm.client.watchJob(job.name)) {
      seen.push(describeEvent(event));
      if (seen.length !== 1) continue;
      await farm.stopGateway();
      for (const task of tasks.slice(1)) await farm.succeed(task);
      await farm.startGateway(farm.port);
    }

    expect(seen).toEqual([...tasks.map(({ index }) => `ended ${index}`), "jobEnded"]);
  });

  test("passes progress on until the task ends", async () => {
    const job = await farm.client.createJob({ images: images(2) });
    const [first, second] = await farm.take(2);
    if (first !== undefined) await farm.succeed(first);

    const seen: string[] = [];
    for await (const event of farm.client.watchJob(job.name)) {
      seen.push(describeEvent(event));
      if (seen.length === 1 && first !== undefined && second !== undefined) {
        farm.step(first, 8);
        farm.step(second, 1);
      }
      if (seen.at(-1) === "progress" && second !== undefined) await farm.succeed(second);
    }

    const ended = [first, second].map((task) => `ended ${task?.index}`);
    expect(seen).toEqual([ended[0], "progress", ended[1], "jobEnded"]);
  });

  test("a client that reads slowly loses progress but no outcome", async () => {
    const count = 300;
    const job = await farm.client.createJob({ images: images(count) });
    const tasks = await farm.take(count);
    const [stepping] = tasks;
    if (stepping !== undefined) await farm.succeed(stepping);
    const ended = new Set<string>();
    const gate = Promise.withResolvers<void>();

    for await (const { event } of farm.client.watchJob(job.name)) {
      if (event?.$case === "taskEnded") ended.add(event.value.name);
      if (ended.size === 1) {
        // Far more than any buffer on the way holds, while nothing is read.
        const [, running] = tasks;
        for (let step = 0; running !== undefined && step < 20_000; step += 1) {
          farm.step(running, step, 20_000);
        }
        for (const task of tasks.slice(1)) await farm.succeed(task);
        gate.resolve();
      }
      await gate.promise;
    }

    expect(ended.size).toBe(count);
    expect(await farm.metrics()).toMatch(/zfarm_progress_dropped_total [1-9]/);
  });

  test("refuses a token that is not this job's, and one from the future", async () => {
    const job = await farm.client.createJob({ images: images(1) });
    const other = await farm.client.createJob({ images: images(1) });
    for (const task of await farm.take(2)) await farm.succeed(task);
    const [first] = await Array.fromAsync(farm.client.watchJob(other.name));
    const watch = (resumeToken: string) =>
      Array.fromAsync(farm.client.watchJob(job.name, { resumeToken }));

    await expect(watch("garbage")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      violations: [{ field: "resume_token", reason: "BAD_TOKEN" }],
    });
    await expect(watch(first?.resumeToken ?? "")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    const ref = parseJobName(job.name);
    const future =
      ref === undefined ? "" : resumeTokensOf(ref)({ revision: 1_000_000n, told: undefined });
    await expect(watch(future)).rejects.toMatchObject({ code: "RESUME_TOKEN_EXPIRED" });
  });

  test("a job that had ended before the watch is told whole", async () => {
    const job = await farm.client.createJob({ images: images(2) });
    await farm.client.cancelJob(job.name);

    const client = connectFarm({ address: farm.address });
    const events = await Array.fromAsync(client.watchJob(job.name));
    client.close();

    const states = events.map(({ event }) =>
      event?.$case === "taskEnded" ? event.value.state : undefined,
    );
    expect(states).toEqual([TaskState.CANCELED, TaskState.CANCELED, undefined]);
  });
});
