import { limits } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArrivalRate } from "./arrival-rate.ts";

/** Tasks that came every `gapMs`, the last one at time 0. */
function arrivingEvery(gapMs: number, count = 50): ArrivalRate {
  const rate = new ArrivalRate();
  for (let index = count - 1; index >= 0; index -= 1) rate.note(-index * gapMs);
  return rate;
}

const room = { queued: 1, slotsFree: 4, heldMs: 0 };

describe("the arrivals of a shape", () => {
  test("are expected at the rate at which they came", () => {
    expect(arrivingEvery(2).expect(0, 10)).toBeCloseTo(5);
    expect(arrivingEvery(1_000).expect(0, 10)).toBeCloseTo(0.01);
  });

  test("are not expected after one or none", () => {
    expect(new ArrivalRate().expect(0, 1_000)).toBe(0);
    expect(arrivingEvery(1, 1).expect(0, 1_000)).toBe(0);
  });

  test("are expected ever less while none comes", () => {
    const rate = arrivingEvery(2);

    expect(rate.expect(100, 10)).toBeCloseTo(0.1);
  });

  test("follow a change within some tens of gaps", () => {
    const rate = arrivingEvery(1_000);

    for (let at = 1; at <= 30; at += 1) rate.note(at);

    expect(rate.expect(30, 10)).toBeGreaterThan(0.5);
  });
});

describe("a grant with room", () => {
  test("is held while more of its shape is arriving", () => {
    expect(arrivingEvery(2).holdMs(0, room)).toBe(limits.batchHoldMs);
  });

  test("goes at once when it is full", () => {
    const rate = arrivingEvery(2);

    expect(rate.holdMs(0, { ...room, queued: 4 })).toBe(0);
    expect(rate.holdMs(0, { queued: limits.batchTasksMax, slotsFree: 99, heldMs: 0 })).toBe(0);
  });

  test("goes at once when nothing else is to be expected", () => {
    expect(arrivingEvery(1_000).holdMs(0, room)).toBe(0);
    expect(arrivingEvery(2).holdMs(500, room)).toBe(0);
  });

  test("is never held longer than the bound, all holds together", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 50 }), fc.nat(40), (gaps, heldMs) => {
        const rate = new ArrivalRate();
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          rate.note(now);
        }

        const holdMs = rate.holdMs(now, { ...room, heldMs });

        expect(holdMs).toBeGreaterThanOrEqual(0);
        expect(holdMs + Math.min(heldMs, limits.batchHoldMs)).toBeLessThanOrEqual(
          limits.batchHoldMs,
        );
      }),
    );
  });
});
