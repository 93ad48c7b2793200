import { describe, expect, it } from "vitest";
import { drawNoise } from "./noise.ts";

/** Largest distance to torch's values that two mathematics libraries may cause. */
const tolerance = 5e-7;

function expectClose(actual: Float32Array, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [at, value] of expected.entries()) {
    expect(Math.abs((actual[at] ?? Number.NaN) - value)).toBeLessThanOrEqual(tolerance);
  }
}

describe("drawNoise", () => {
  it("draws torch's CPU numbers for seed 42", () => {
    const noise = drawNoise(42n, 16 * 128 * 128);

    expectClose(
      noise.slice(0, 8),
      [1.9269153, 1.4872841, 0.9007172, -2.105521, 0.6784185, -1.2345449, -0.0430675, -1.6046669],
    );
    expectClose(noise.slice(-1), [-2.3294172]);
  });

  it("has torch's mean and deviation over the whole draw of seed 42", () => {
    const noise = drawNoise(42n, 16 * 128 * 128);

    const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
    const squares = noise.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    expect(mean).toBeCloseTo(-2.3999513e-4, 9);
    expect(Math.sqrt(squares / noise.length)).toBeCloseTo(1.0022362, 6);
  });

  it("draws torch's CPU numbers for seed 0", () => {
    const noise = drawNoise(0n, 16 * 64 * 64);

    expectClose(noise.slice(0, 4), [-1.1258398, -1.1523602, -0.2505786, -0.4338788]);
  });

  it("keys on the low 32 bits of a seed, as torch does", () => {
    const low = drawNoise(7n, 64);

    expect(drawNoise(7n + 2n ** 32n, 64)).toEqual(low);
    expect(drawNoise(7n + 5n * 2n ** 32n, 64)).toEqual(low);
    expect(drawNoise(8n, 64)).not.toEqual(low);
  });

  it("accepts the largest seed", () => {
    expect(drawNoise(2n ** 64n - 1n, 64)).toEqual(drawNoise(2n ** 32n - 1n, 64));
  });

  it("redraws the last 16 values of a count that is not a multiple of 16", () => {
    const whole = drawNoise(3n, 32);
    const odd = drawNoise(3n, 40);

    // 40 uniform numbers are drawn first, so only the two full blocks agree, up to the overlap.
    expect(odd.slice(0, 24)).toEqual(whole.slice(0, 24));
    expect(odd.slice(24, 32)).not.toEqual(whole.slice(24, 32));
  });

  it("draws a picture of a batch as if it were alone", () => {
    const alone = drawNoise(11n, 16 * 8 * 8);

    expect(drawNoise(11n, 2 * 16 * 8 * 8).slice(0, alone.length)).toEqual(alone);
  });

  it("refuses counts that torch would draw by another method", () => {
    expect(() => drawNoise(1n, 15)).toThrow("at least 16");
  });
});
