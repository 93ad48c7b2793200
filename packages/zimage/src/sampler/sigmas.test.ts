import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { modelTime, sigmaTable, stepsMax } from "./sigmas.ts";

function expectTable(actual: Iterable<number>, expected: readonly number[]): void {
  const values = [...actual];
  expect(values.length).toBe(expected.length);
  // The references are printed with seven to eight digits.
  for (const [at, value] of expected.entries()) expect(values[at]).toBeCloseTo(value, 7);
}

describe("sigmaTable", () => {
  it("trap 10: eight steps are eight noise levels of the current reference", () => {
    const table = sigmaTable(8, 3);

    expectTable(table, [1, 0.95454544, 0.9, 0.8333333, 0.75, 0.64285713, 0.5, 0.3, 0]);
  });

  it("has the four levels of the reference", () => {
    expectTable(sigmaTable(4, 3), [1, 0.9, 0.75, 0.5, 0]);
  });

  it("is even without a shift", () => {
    expectTable(sigmaTable(4, 1), [1, 0.75, 0.5, 0.25, 0]);
  });

  it("falls from 1 to 0 for every number of steps and every shift", () => {
    const inputs = [
      fc.integer({ min: 1, max: stepsMax }),
      fc.double({ min: 0.1, max: 20, noNaN: true }),
    ] as const;
    fc.assert(
      fc.property(...inputs, (steps, shift) => {
        const table = sigmaTable(steps, Math.fround(shift));

        expect(table.length).toBe(steps + 1);
        expect(table[0]).toBeCloseTo(1, 6);
        expect(table[steps]).toBe(0);
        for (let at = 0; at < steps; at += 1) {
          expect(table[at + 1]).toBeLessThan(table[at] ?? 0);
        }
      }),
    );
  });

  it("refuses 0 and 51 steps", () => {
    expect(() => sigmaTable(0, 3)).toThrow("0 steps");
    expect(() => sigmaTable(stepsMax + 1, 3)).toThrow("51 steps");
  });
});

describe("modelTime", () => {
  it("trap 9: is 1 - sigma by way of a thousand timesteps", () => {
    const times = Array.from(sigmaTable(8, 3).slice(0, 8), modelTime);

    expectTable(times, [0, 0.04545459, 0.1, 0.16666669, 0.25, 0.3571429, 0.5, 0.7]);
  });
});
