import { type LoraRef, limits, type Shelf, ShelfTier } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver, listed, only } from "../../testing/drive-core.ts";

/** An adapter that takes 2 seconds to load from the store: longer than a picture is expected to. */
const adapter: LoraRef = {
  digest: "a",
  weight: 1,
  rank: 16,
  sizeBytes: BigInt(2_000 * limits.shelfStoreBytesPerMs),
};

function shelfOf(...adapters: readonly LoraRef[]): Shelf {
  const items = adapters.map(({ digest, sizeBytes }) => ({
    digest,
    sizeBytes,
    tier: ShelfTier.DEVICE,
  }));
  return { items, deviceBytes: 8n * adapter.sizeBytes, rankBudget: 0 };
}

/** "warm" renders task 0 with its adapter, "cold" waits for work; task 1 has just come. */
function startBusy() {
  const core = CoreDriver.leading();
  const [first, second] = [0, 1].map((index) => buildTask(index, { adapters: [adapter] }));
  if (first === undefined || second === undefined) throw new RangeError("no task");
  core.store(first);
  const [grant] = only(core.ask("warm", { shelf: shelfOf(adapter) }), "grant");
  const [lease] = grant?.leases ?? [];
  if (lease === undefined) throw new RangeError("no lease");
  core.ask("cold", { shelf: shelfOf() });
  const effects = core.store(second);
  return { core, first, lease, granted: only(effects, "grant") };
}

describe("a task whose adapter is on the device of a busy worker", () => {
  test("waits for that worker while this takes less than to load it elsewhere", () => {
    const { granted } = startBusy();

    expect(granted).toEqual([]);
  });

  test("goes to a worker that has it as soon as it asks, sooner than foretold", () => {
    const { core, first } = startBusy();
    core.wait(100);
    core.end(first);

    const [grant] = only(core.ask("warm", { shelf: shelfOf(adapter) }), "grant");

    expect(grant?.worker).toBe("warm");
    expect(grant?.reason).toBe("adapters-warm");
  });

  test("waits on while the worker is late, but not longer than two loads", () => {
    const { core, lease } = startBusy();
    const grantedAfter: number[] = [];

    for (let ms = 0; ms < 6_000; ms += limits.schedulerTickMs) {
      core.beat("warm", [listed(lease)]);
      const effects = core.wait(limits.schedulerTickMs);
      for (const grant of only(effects, "grant")) {
        expect(grant.worker).toBe("cold");
        grantedAfter.push(ms + limits.schedulerTickMs);
      }
    }

    expect(grantedAfter).toHaveLength(1);
    expect(grantedAfter[0]).toBeGreaterThan(3_000);
    expect(grantedAfter[0]).toBeLessThanOrEqual(4_000);
  });
});
