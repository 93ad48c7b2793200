import { createManualClock } from "@zfarm/testing";
import { expect, test } from "vitest";
import { TestFarm } from "../testing/run-farm.ts";

test("a leader that a worker has outgrown stands again, with a larger epoch", async () => {
  const farm = new TestFarm(createManualClock());
  try {
    await farm.startScheduler("s1");
    const epochNow = async () =>
      (await farm.query({ $case: "listWorkers", value: { pool: "" } })).epoch;
    const before = await epochNow();

    await farm.worker("w1").outgrow(before + 5n);
    await farm.pass(10_000);

    expect(await epochNow()).toBeGreaterThan(before);
  } finally {
    await farm.stop();
  }
});
