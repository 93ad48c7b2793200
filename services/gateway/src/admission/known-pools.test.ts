import { createMemoryBroker } from "@zfarm/broker";
import { defaultPool, limits, type PoolRecord } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { testPool } from "../../test/test-farm.ts";
import { KnownPools } from "./known-pools.ts";

const other: PoolRecord = { ...testPool, modelDigest: "another" };

function openPools() {
  const clock = createManualClock();
  const { pools } = createMemoryBroker();
  return { clock, pools, known: new KnownPools(pools, clock) };
}

describe("KnownPools", () => {
  test("gives a record again for a moment, then looks whether it changed", async () => {
    const { clock, pools, known } = openPools();
    await pools.put(testPool);
    await known.find(defaultPool);
    await pools.put(other);

    expect(await known.find(defaultPool)).toEqual(testPool);
    await clock.advance(limits.poolKnownMs);
    expect(await known.find(defaultPool)).toEqual(other);
  });

  test("sees a pool the moment its first worker has started", async () => {
    const { pools, known } = openPools();
    expect(await known.find(defaultPool)).toBeUndefined();

    await pools.put(testPool);

    expect(await known.find(defaultPool)).toEqual(testPool);
  });
});
