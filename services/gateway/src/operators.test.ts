/** Locks, quarantines, pools and wishes for the autoscaler: what is kept, and what is refused. */
import { defaultPool } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm, testPool } from "../test/test-farm.ts";

const pool = `pools/${defaultPool}`;

let farm: TestFarm;
beforeEach(async () => {
  farm = await openTestFarm();
});
afterEach(async () => {
  await farm.stop();
});

const policyOf = async (worker: string) =>
  (await farm.broker.policies.workers.find(worker))?.policy;

describe("a lock", () => {
  test("is kept with its reason and time, as old as it was when it is repeated", async () => {
    await farm.client.lockWorker("workers/one", { reason: "fan is loud" });
    const first = await policyOf("one");
    await farm.client.lockWorker("workers/one", { reason: "fan is loud" });

    expect(first?.lock).toMatchObject({ reason: "fan is loud", lockTime: expect.any(Date) });
    expect(await policyOf("one")).toEqual(first);
    await farm.client.unlockWorker("workers/one");
    expect((await policyOf("one"))?.lock).toBeUndefined();
  });

  test("and a drain and a quarantine leave each other as they are", async () => {
    const endTime = new Date(Date.now() + 60_000);
    await farm.client.lockWorker("workers/one");
    await farm.client.drain("workers/one");
    await farm.client.quarantineWorker("workers/one", { reason: "stripes", endTime });

    expect(await policyOf("one")).toMatchObject({
      draining: true,
      lock: { reason: "" },
      quarantine: { reason: "stripes", endTime },
    });
    await farm.client.forgiveWorker("workers/one");
    const forgiven = await policyOf("one");
    expect(forgiven).toMatchObject({ draining: true, lock: { reason: "" } });
    expect(forgiven?.quarantine).toBeUndefined();
  });

  test("of a worker that nobody knows is NOT_FOUND and leaves nothing behind", async () => {
    const calls = [
      farm.client.lockWorker("workers/two"),
      farm.client.unlockWorker("workers/two"),
      farm.client.quarantineWorker("workers/two", { reason: "stripes" }),
      farm.client.getWorker("workers/two"),
    ];

    const code = "WORKER_NOT_FOUND";
    for (const call of calls) await expect(call).rejects.toMatchObject({ code });
    expect(await policyOf("two")).toBeUndefined();
  });
});

test("a worker that lives is shown with what it does", async () => {
  expect(await farm.client.getWorker("workers/one")).toMatchObject({
    worker: { name: "workers/one" },
    tasks: [],
  });
});

describe("pools", () => {
  test("are those with a worker or a policy, with facts and wishes", async () => {
    await farm.broker.policies.pools.put({ pool: "empty", draining: true, speculateAfter: 0 }, 0n);

    const pools = await farm.client.listPools();

    expect(pools).toMatchObject([
      { name: pool, facts: { model: testPool.model, rankBudget: 128, takesGuidance: false } },
      { name: "pools/empty", conduct: { draining: true } },
    ]);
    expect(pools[1]?.facts).toBeUndefined();
    expect(await farm.client.getPool(pool)).toEqual(pools[0]);
    await expect(farm.client.getPool("pools/two")).rejects.toMatchObject({
      code: "POOL_NOT_FOUND",
    });
  });
});

describe("a wish for the autoscaler", () => {
  const scaling = { workersMin: 1, workersMax: 4, paused: false };

  test("is kept beside the rest of the conduct, each changed without the other", async () => {
    await farm.client.updatePoolPolicy({ name: pool, speculateAfter: 2 });
    await farm.client.updatePoolPolicy({ name: pool, scaling });
    await farm.client.updatePoolPolicy({ name: pool, speculateAfter: 3 });

    const conduct = await farm.client.getPoolPolicy(pool);
    expect(conduct).toMatchObject({ speculateAfter: 3, scaling });
    const without = await farm.client.updatePoolPolicy({ name: pool, scaling: undefined });
    expect(without).toMatchObject({ speculateAfter: 3 });
    expect(without.scaling).toBeUndefined();
  });

  test("may have one bound only, and no workers at all", async () => {
    const none = { workersMax: 0, paused: false };

    const conduct = await farm.client.updatePoolPolicy({ name: pool, scaling: none });

    expect(conduct.scaling).toEqual({ ...none, workersMin: undefined });
  });

  test("is refused behind an etag that does not hold, unless it stands already", async () => {
    const { etag = "" } = await farm.client.getPoolPolicy(pool);
    const first = await farm.client.updatePoolPolicy({ name: pool, scaling }, { etag });

    const again = await farm.client.updatePoolPolicy({ name: pool, scaling }, { etag });
    const other = farm.client.updatePoolPolicy(
      { name: pool, scaling: { ...scaling, paused: true } },
      { etag },
    );

    expect(again).toEqual(first);
    await expect(other).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await farm.client.getPoolPolicy(pool)).scaling).toEqual(scaling);
  });
});

test("the autoscaler's last decisions come from the leader", async () => {
  expect(await farm.client.getScalingStatus()).toEqual({ actuator: "none", pools: [] });
});

describe("queue statistics", () => {
  test("come from the leader, of as many projects as asked for, else of ten", async () => {
    expect(await farm.client.getQueueStatistics()).toEqual([]);
    await farm.client.getQueueStatistics({ pool: defaultPool, projectsMax: 3 });

    expect(farm.asked).toEqual([
      { pool: "", projectsMax: 10 },
      { pool: defaultPool, projectsMax: 3 },
    ]);
  });

  test("of a pool that nobody knows are NOT_FOUND", async () => {
    await expect(farm.client.getQueueStatistics({ pool: "two" })).rejects.toMatchObject({
      code: "POOL_NOT_FOUND",
    });
  });
});
