import { FarmError, limits } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { DrainEstimate } from "./drain-estimate.ts";

describe("the estimate of when a full queue has room", () => {
  const create = () => {
    const clock = createManualClock();
    const log = { ended: 1_000_000n, asked: 0, isAway: false };
    const lastRevision = async () => {
      log.asked += 1;
      if (log.isAway) throw new FarmError("BROKER_UNAVAILABLE", "away");
      return log.ended;
    };
    return { clock, log, estimate: new DrainEstimate({ lastRevision }, clock) };
  };

  test("is a fixed time before anything was measured", async () => {
    const { estimate } = create();

    expect(await estimate.estimateMs(1_000)).toBe(limits.queueFullRetryMs);
  });

  test("is the time in which as many tasks end as the request has", async () => {
    const { clock, log, estimate } = create();
    await estimate.estimateMs(1);
    await clock.advance(10_000);
    log.ended += 500n;

    expect(await estimate.estimateMs(200)).toBe(4_000);
  });

  test("stays within its bounds, even where nothing ends", async () => {
    const { clock, log, estimate } = create();
    await estimate.estimateMs(1);
    await clock.advance(10_000);
    expect(await estimate.estimateMs(1)).toBe(limits.drainRetryMsMax);

    await clock.advance(10_000);
    log.ended += 1_000_000n;
    expect(await estimate.estimateMs(1)).toBe(limits.drainRetryMsMin);
  });

  test("asks the broker once in a while, and does without its answer", async () => {
    const { clock, log, estimate } = create();
    await Promise.all(Array.from({ length: 50 }, () => estimate.estimateMs(1)));
    expect(log.asked).toBe(1);

    log.isAway = true;
    await clock.advance(2_000);

    expect(await estimate.estimateMs(1)).toBe(limits.queueFullRetryMs);
    expect(log.asked).toBe(2);
  });
});
