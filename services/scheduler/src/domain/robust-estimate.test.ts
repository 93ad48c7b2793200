import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RobustEstimate } from "./robust-estimate.ts";

function learn(estimate: RobustEstimate, value: number, times: number): void {
  for (let time = 0; time < times; time += 1) estimate.learn(value);
}

const amount = fc.double({ min: 0.001, max: 1e6, noNaN: true });

describe("a robust estimate", () => {
  test("finds what it is told, whatever it guessed", () => {
    fc.assert(
      fc.property(amount, amount, (guess, value) => {
        const estimate = new RobustEstimate(guess);

        learn(estimate, value, 30);

        expect(estimate.value / value).toBeGreaterThan(0.9);
        expect(estimate.value / value).toBeLessThan(1.1);
      }),
    );
  });

  test("follows a lasting change of a hundred times within 20 values", () => {
    for (const change of [100, 0.01]) {
      const estimate = new RobustEstimate(50);
      learn(estimate, 50, 100);

      learn(estimate, 50 * change, 20);

      expect(estimate.value / (50 * change)).toBeGreaterThan(0.8);
      expect(estimate.value / (50 * change)).toBeLessThan(1.25);
    }
  });

  test("moves by a bounded factor for one absurd value", () => {
    fc.assert(
      fc.property(amount, fc.nat(50), amount, (usual, times, absurd) => {
        const estimate = new RobustEstimate(usual);
        learn(estimate, usual, times);

        learn(estimate, absurd, 1);

        expect(estimate.value / usual).toBeGreaterThanOrEqual(0.7);
        expect(estimate.value / usual).toBeLessThanOrEqual(1.42);
      }),
    );
  });

  test("is not carried away where absurd values alternate", () => {
    const estimate = new RobustEstimate(10);

    for (let time = 0; time < 100; time += 1) learn(estimate, time % 2 === 0 ? 1_000 : 0.1, 1);

    expect(estimate.value).toBeGreaterThan(7);
    expect(estimate.value).toBeLessThan(14);
  });

  test("knows how far values scatter once it has seen some", () => {
    const estimate = new RobustEstimate(10);
    learn(estimate, 10, 4);
    expect(estimate.spread).toBeUndefined();

    for (let time = 0; time < 100; time += 1) learn(estimate, time % 2 === 0 ? 8 : 12.5, 1);

    expect(estimate.spread).toBeGreaterThan(1.3);
    expect(estimate.spread).toBeLessThan(2);
  });
});
