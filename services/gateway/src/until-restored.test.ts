import { createMemoryBroker } from "@zfarm/broker";
import { FarmError } from "@zfarm/contract";
import { silentLog } from "@zfarm/runtime";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { untilRestored } from "./until-restored.ts";

describe("a gateway of a farm with manifests", () => {
  test("waits until the farm is restored, through outages", async () => {
    const { farm } = createMemoryBroker();
    const clock = createManualClock();
    let isAway = true;
    const isRestored = async () => {
      if (isAway) throw new FarmError("BROKER_UNAVAILABLE", "away");
      return await farm.isRestored();
    };
    let isOpen = false;
    const never = new AbortController().signal;
    const opening = untilRestored(
      {
        farm: { markRestored: (time) => farm.markRestored(time), isRestored },
        clock,
        log: silentLog,
      },
      never,
    ).then(() => {
      isOpen = true;
    });

    await clock.advance(10_000);
    isAway = false;
    await clock.advance(10_000);
    expect(isOpen).toBe(false);

    await farm.markRestored(new Date(1));
    await clock.advance(1_000);
    await opening;
    expect(isOpen).toBe(true);
  });

  test("can be stopped while it waits", async () => {
    const { farm } = createMemoryBroker();
    const clock = createManualClock();
    const stop = new AbortController();
    const waiting = untilRestored({ farm, clock, log: silentLog }, stop.signal);

    stop.abort(new RangeError("stopped"));

    await expect(waiting).rejects.toThrow("stopped");
  });
});
