/** Drains, shares and quotas: what operators ask for, and what comes of it at the gateway. */
import { defaultPool, defaultProject } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm } from "../test/test-farm.ts";

const images = (count: number) => Array.from({ length: count }, () => ({ prompt: "a house" }));
const project = "projects/default";
const share = {
  name: project,
  weight: 2,
  guaranteeTasks: 1,
  burstTasks: 8,
  queuedTasksMax: 10,
};

let farm: TestFarm;
beforeEach(async () => {
  farm = await openTestFarm();
});
afterEach(async () => {
  await farm.stop();
});

describe("drain and resume", () => {
  test("of a worker and of a pool are kept as policies", async () => {
    const { policies } = farm.broker;

    await farm.client.drain("workers/one");
    await farm.client.drain(`pools/${defaultPool}`);
    await farm.client.drain(`pools/${defaultPool}`);
    expect((await policies.workers.find("one"))?.policy.draining).toBe(true);
    expect((await policies.pools.find(defaultPool))?.policy.draining).toBe(true);
    await farm.client.resume("workers/one");

    expect((await policies.workers.find("one"))?.policy.draining).toBe(false);
  });

  test("of what was never there is NOT_FOUND and leaves nothing behind", async () => {
    const { policies } = farm.broker;

    await expect(farm.client.drain("workers/two")).rejects.toMatchObject({
      code: "WORKER_NOT_FOUND",
    });
    await expect(farm.client.resume("pools/two")).rejects.toMatchObject({ code: "POOL_NOT_FOUND" });

    expect(await policies.workers.find("two")).toBeUndefined();
    expect(await policies.pools.find("two")).toBeUndefined();
  });

  test("a worker that is drained and gone can still be resumed", async () => {
    await farm.broker.policies.workers.put({ worker: "gone", draining: true }, 0n);

    await farm.client.resume("workers/gone");

    expect((await farm.broker.policies.workers.find("gone"))?.policy.draining).toBe(false);
  });

  test("forgiving keeps the drain and says until when failures are forgotten", async () => {
    await farm.client.drain("workers/one");

    await farm.client.forgiveWorker("workers/one");

    const found = await farm.broker.policies.workers.find("one");
    expect(found?.policy).toMatchObject({ draining: true, forgiveTime: expect.any(Date) });
    await expect(farm.client.forgiveWorker(`pools/${defaultPool}`)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });

  test("victims are named by the leader", async () => {
    const victims = await farm.client.listVictims({ count: 3 });

    expect(victims).toMatchObject([{ worker: "workers/one", reason: "idle" }]);
  });
});

describe("the share of a project", () => {
  test("is an equal one until it is set, and then what was set", async () => {
    const plain = await farm.client.getProjectPolicy(project);
    const updated = await farm.client.updateProjectPolicy(share);

    expect(plain).toMatchObject({ weight: 1, guaranteeTasks: 0, burstTasks: 0, queuedTasksMax: 0 });
    expect(updated).toEqual(share);
    expect(await farm.client.getProjectPolicy(project)).toEqual(share);
  });

  test("is refused where it contradicts itself", async () => {
    const update = farm.client.updateProjectPolicy({ ...share, guaranteeTasks: 9 });

    const violations = [{ field: "share.guarantee_tasks", reason: "OUT_OF_RANGE" }];
    await expect(update).rejects.toMatchObject({ code: "INVALID_REQUEST", violations });
  });
});

describe("the conduct of a pool", () => {
  const name = `pools/${defaultPool}`;

  test("is no speculation until it is set, and a drain leaves it as it is", async () => {
    const plain = await farm.client.getPoolPolicy(name);
    await farm.client.updatePoolPolicy({ name, speculateAfter: 2.5 });
    await farm.client.drain(name);

    expect(plain).toMatchObject({ name, speculateAfter: 0, draining: false });
    expect(await farm.client.getPoolPolicy(name)).toMatchObject({
      name,
      speculateAfter: 2.5,
      draining: true,
    });
  });

  test("leaves a drain as it is", async () => {
    await farm.client.drain(name);

    const updated = await farm.client.updatePoolPolicy({ name, speculateAfter: 3 });

    expect(updated).toMatchObject({ name, speculateAfter: 3, draining: true });
  });
});

describe("the quota of waiting tasks", () => {
  const job = (count: number, requestId?: string) =>
    farm.client.createJob({
      images: images(count),
      ...(requestId === undefined ? {} : { requestId }),
    });
  /** Sets it, and waits until the gateway has read it. */
  const limitTo = async (queuedTasksMax: number): Promise<void> => {
    await farm.client.updateProjectPolicy({ ...share, queuedTasksMax });
    farm.waiting = queuedTasksMax;
    await expect.poll(() => job(1).catch(({ code }) => code)).toBe("QUOTA_EXCEEDED");
    farm.waiting = 0;
    for (const { revision } of await farm.queued()) await farm.broker.queue.remove(revision);
  };

  test("refuses what would exceed it whole, and says what the bound is", async () => {
    await limitTo(10);
    farm.waiting = 7;

    const error = await job(4).catch((thrown) => thrown);

    expect(error).toMatchObject({ code: "QUOTA_EXCEEDED", retryAfterMs: 5_000 });
    expect(error.violations).toMatchObject([{ field: project }]);
    expect(error.message).toContain("at most 10 may wait");
    expect(await farm.queued()).toEqual([]);
    expect(await job(3)).toMatchObject({ counts: { pending: 3 } });
  });

  test("does not hold against a request that was admitted before", async () => {
    await limitTo(10);
    const first = await job(3, "r");
    farm.waiting = 10;

    expect((await job(3, "r")).name).toBe(first.name);
  });

  test("does not hold while nobody can count", async () => {
    await limitTo(10);
    farm.waiting = undefined;

    expect(await job(11)).toMatchObject({ counts: { total: 11 } });
  });

  test("is free again once it is lifted", async () => {
    await limitTo(10);
    farm.waiting = 10;

    await farm.client.updateProjectPolicy({ ...share, queuedTasksMax: 0 });

    await expect.poll(async () => (await job(1).catch(() => undefined))?.pool).toBe(defaultPool);
  });
});

test("a policy of another project does not concern this one", async () => {
  await farm.client.updateProjectPolicy({ ...share, name: "projects/other", queuedTasksMax: 1 });
  farm.waiting = 100;

  const job = await farm.client.createJob({ images: images(2) });

  expect(job.name).toContain(defaultProject);
});
