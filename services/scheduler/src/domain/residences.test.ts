/** What the leader knows of adapters at hand, and whom it has fetch one ahead. */
import { defaultPool, LoraTier, type PoolId, type Shelf, ShelfTier } from "@zfarm/contract";
import { beforeEach, describe, expect, test } from "vitest";
import { adapter, CoreDriver, only, shelfOf } from "../../testing/drive-core.ts";

const a = adapter("a");
const holding = (tier: ShelfTier): Shelf => ({
  ...shelfOf([]),
  items: [{ digest: "a", sizeBytes: a.sizeBytes, tier }],
});

let core: CoreDriver;
beforeEach(() => {
  core = CoreDriver.leading();
  core.ask("none", { shelf: shelfOf([]) });
  core.ask("disk", { shelf: holding(ShelfTier.DISK) });
  core.ask("ram", { shelf: holding(ShelfTier.RAM) });
  core.ask("device", { shelf: holding(ShelfTier.DEVICE) });
  core.ask("bare", {});
});

const residences = () => core.scheduler.residencesOf(defaultPool, "a");
const prefetch = (workers: number) =>
  only(core.step({ kind: "prefetch-asked", pool: defaultPool, adapter: a, workers }), "prewarm");

test("workers that hold an adapter are told nearest first, the others not at all", () => {
  expect(residences()).toEqual([
    { worker: "workers/device", tier: LoraTier.DEVICE },
    { worker: "workers/ram", tier: LoraTier.RAM },
    { worker: "workers/disk", tier: LoraTier.DISK },
  ]);
  expect(core.scheduler.residencesOf("other" as PoolId, "a")).toEqual([]);
});

describe("a prefetch", () => {
  test.each([
    [1, []],
    [2, []],
    [3, ["disk"]],
    [4, ["disk", "none"]],
    [100, ["disk", "none"]],
  ])("for %i workers asks those that lack it, the nearest first", (count, expected) => {
    const plan = core.scheduler.planPrefetch(defaultPool, "a", count);

    expect(plan).toEqual({ workers: expected, ready: 2 });
    expect(prefetch(count)).toMatchObject(
      expected.map((worker) => ({ worker, reason: "asked-for", adapter: { digest: "a" } })),
    );
  });

  test("asks no worker that drains, and none of a pool that nobody knows", () => {
    core.workerPolicy("disk", { draining: true });
    core.workerPolicy("ram", { draining: true });

    expect(core.scheduler.planPrefetch(defaultPool, "a", 2)).toEqual({
      workers: ["none"],
      ready: 1,
    });
    expect(core.scheduler.planPrefetch("other" as PoolId, "a", 2)).toEqual({
      workers: [],
      ready: 0,
    });
  });
});
