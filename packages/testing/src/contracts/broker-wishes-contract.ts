import { defaultPool, defaultProject } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { codeOf, FollowReader, never, type OpenFarm, useFarm } from "./broker-farm.ts";
import { someControl, someJob } from "./broker-messages.ts";

/** Controls of jobs and policies of operators: what people want, as opposed to what happened. */
export function defineWishesContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("job controls", () => {
    test("keep the newest record of a job, replaced only from the revision it is at", async () => {
      const { controls } = await (await start()).connect();
      const first = await controls.put(someControl({ paused: true }), 0n);

      expect(await controls.put(someControl(), 0n)).toBe("conflict");
      const second = await controls.put(someControl({ approved: true }), first as bigint);
      expect(await controls.put(someControl(), first as bigint)).toBe("conflict");

      const standing = { control: someControl({ approved: true }), revision: second };
      expect(await controls.find(someJob())).toEqual(standing);
      expect(await controls.find(someJob("other"))).toBeUndefined();
    });

    test("let exactly one of many concurrent changes through", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];

      const puts = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? one : two).controls.put(someControl({ paused: index > 4 }), 0n),
        ),
      );

      expect(puts.filter((put) => put !== "conflict")).toHaveLength(1);
    });

    test("are followed from the first one on, each job once, and then as they come", async () => {
      const farm = await start();
      const [writer, reader] = [await farm.connect(), await farm.connect()];
      const other = someControl({ job: someJob("other").job });
      const revision = await writer.controls.put(someControl(), 0n);
      await writer.controls.put(other, 0n);
      await writer.controls.put(someControl({ paused: true }), revision as bigint);
      const follow = new FollowReader(reader.controls.follow(never));

      const backlog = await follow.untilCaughtUp();
      expect(backlog.map(({ control }) => control)).toEqual([other, someControl({ paused: true })]);
      const newest = backlog[1]?.revision ?? 0n;
      await writer.controls.put(someControl({ paused: false }), newest);

      expect((await follow.take(1))[0]?.control.paused).toBe(false);
    });

    test("are not what commands to workers are, though both are called control", async () => {
      const broker = await (await start()).connect();

      broker.link.control("worker-1" as never, { epoch: 1n, command: undefined });
      await broker.controls.put(someControl(), 0n);

      expect(await new FollowReader(broker.controls.follow(never)).untilCaughtUp()).toHaveLength(1);
    });

    test("are forgotten with the record of their job", async () => {
      const { controls } = await (await start({ jobRetentionMs: 300 })).connect();
      await controls.put(someControl(), 0n);

      await expect.poll(() => controls.find(someJob())).toBeUndefined();
    });

    test("are refused beyond their bound, while those that stand can still change", async () => {
      const { controls } = await (await start({ controlsMax: 1 })).connect();
      const revision = await controls.put(someControl(), 0n);
      const other = someControl({ job: someJob("other").job });

      expect(await codeOf(controls.put(other, 0n))).toBe("QUEUE_FULL");
      expect(await controls.put(someControl({ paused: true }), revision as bigint)).not.toBe(
        "conflict",
      );
    });
  });

  describe("policies", () => {
    const project = {
      project: defaultProject,
      weight: 2,
      guaranteeTasks: 1,
      burstTasks: 8,
      queuedTasksMax: 100,
    };
    const scaling = { workersMin: 0, workersMax: 4, paused: true };
    const pool = { pool: defaultPool, draining: true, speculateAfter: 0, scaling };
    const lock = { reason: "fan is loud", lockTime: new Date(1_000) };
    const quarantine = { reason: "stripes", endTime: new Date(2_000) };
    const worker = { worker: "worker-1", draining: true, lock, quarantine };

    test("are found by kind and id, and replaced only from the revision they are at", async () => {
      const { policies } = await (await start()).connect();
      const first = await policies.projects.put(project, 0n);
      await policies.pools.put(pool, 0n);
      await policies.workers.put(worker, 0n);

      expect(await policies.projects.put({ ...project, weight: 3 }, 0n)).toBe("conflict");
      const second = await policies.projects.put({ ...project, weight: 3 }, first as bigint);

      const standing = { policy: { ...project, weight: 3 }, revision: second };
      expect(await policies.projects.find(defaultProject)).toEqual(standing);
      expect((await policies.pools.find(defaultPool))?.policy).toEqual(pool);
      expect((await policies.workers.find("worker-1"))?.policy).toEqual(worker);
      expect(await policies.workers.find("worker-2")).toBeUndefined();
      expect(await policies.projects.list()).toEqual([standing]);
      expect(await policies.workers.list()).toMatchObject([{ policy: worker }]);
    });

    test("are followed from the first one on, and then as they come", async () => {
      const farm = await start();
      const [writer, reader] = [await farm.connect(), await farm.connect()];
      await writer.policies.pools.put(pool, 0n);
      await writer.policies.projects.put(project, 0n);
      const follow = new FollowReader(reader.policies.follow(never));

      const backlog = await follow.untilCaughtUp();
      expect(backlog.map(({ kind, policy }) => ({ kind, policy }))).toEqual([
        { kind: "pool", policy: pool },
        { kind: "project", policy: project },
      ]);
      await writer.policies.workers.put(worker, 0n);

      expect((await follow.take(1))[0]).toMatchObject({ kind: "worker", policy: worker });
    });

    test("are refused beyond their bound", async () => {
      const { policies } = await (await start({ policiesMax: 1 })).connect();
      await policies.projects.put(project, 0n);

      expect(await codeOf(policies.pools.put(pool, 0n))).toBe("QUEUE_FULL");
    });
  });
}
