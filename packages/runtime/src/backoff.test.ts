import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";
import { InvariantError } from "./invariant.ts";

/** All that fast-check can vary: bounds that fit each other, and what the dice say. */
const waits = fc.record({
  attempt: fc.integer({ min: 1, max: 10_000 }),
  firstMs: fc.integer({ min: 1, max: 1_000 }),
  growMs: fc.integer({ min: 0, max: 100_000 }),
  dice: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

describe("backoffMs", () => {
  test("stays within 0 and the maximum, however many attempts", () => {
    fc.assert(
      fc.property(waits, ({ attempt, firstMs, growMs, dice }) => {
        const maxMs = firstMs + growMs;
        const wait = backoffMs(attempt, { firstMs, maxMs, random: () => dice });
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThan(maxMs);
      }),
    );
  });

  test("the bound doubles with each attempt until it meets the maximum", () => {
    const bounds = [1, 2, 3, 4, 5, 6].map((attempt) =>
      backoffMs(attempt, { firstMs: 100, maxMs: 1_000, random: () => 1 }),
    );

    expect(bounds).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  test("spreads over the whole range, so that clients do not come back together", () => {
    const half = backoffMs(3, { firstMs: 100, maxMs: 1_000, random: () => 0.5 });
    const none = backoffMs(3, { firstMs: 100, maxMs: 1_000, random: () => 0 });

    expect([half, none]).toEqual([200, 0]);
  });

  test.each([0, -1, Number.NaN])("attempt %d is a bug", (attempt) => {
    expect(() => backoffMs(attempt)).toThrow(InvariantError);
  });
});
