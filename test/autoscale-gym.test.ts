/** The short form of `npm run bench:autoscale`: what the autoscaler promises, in virtual time. */
import { describe, expect, test } from "vitest";
import type { TraceName } from "./bench/autoscale/traces.ts";
import { play } from "./bench/autoscale.ts";

const others = ["lag30", "lag5", "keda", "rate"] as const;
const seeds = [7];

describe.each(["ramp", "bursts", "diurnal", "bulk", "mixed"] as TraceName[])("in %s", (trace) => {
  const cluster = "90s";
  const own = play(trace, { cluster, scaler: "zfarm", seeds });

  test("no busy worker is ever taken away", () => {
    expect(own.removed).toBeGreaterThan(0);
    expect(own.busyKills).toBe(0);
  });

  test.each(others)(
    "as many tasks start in time as with %s, give or take one in a hundred",
    (scaler) => {
      const other = play(trace, { cluster, scaler, seeds });

      expect(own.withinTarget).toBeGreaterThanOrEqual(other.withinTarget - 0.01);
    },
  );

  test.each(["lag30", "lag5", "keda"] as const)("for less device time than with %s", (scaler) => {
    const other = play(trace, { cluster, scaler, seeds });

    expect(own.gpuMinutes).toBeLessThan(other.gpuMinutes);
  });
});

test("a cold start of four minutes costs few tasks their target where load only rises", () => {
  const where = { cluster: "240s", seeds } as const;
  const own = play("diurnal", { ...where, scaler: "zfarm" });
  const rate = play("diurnal", { ...where, scaler: "rate" });

  expect(own.withinTarget).toBeGreaterThan(0.97);
  expect(rate.withinTarget).toBeLessThan(0.8);
});
