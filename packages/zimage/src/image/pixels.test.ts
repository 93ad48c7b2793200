import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { roundHalfToEven, toPixels, toUnit } from "./pixels.ts";

const onePixel = { width: 1, height: 1 };

describe("toPixels", () => {
  it("trap 19: rounds halves to even", () => {
    expect([0.5, 1.5, 2.5, 3.5, 254.5].map(roundHalfToEven)).toEqual([0, 2, 2, 4, 254]);
    expect([0.49, 0.51, 2.51].map(roundHalfToEven)).toEqual([0, 1, 3]);
  });

  it("clamps what lies outside -1 to 1", () => {
    expect([...toPixels(Float32Array.of(-7, 7, 0), onePixel).data]).toEqual([0, 255, 128]);
  });

  it("turns what is not a number into black", () => {
    expect([...toPixels(Float32Array.of(Number.NaN, -1, 1), onePixel).data]).toEqual([0, 0, 255]);
    expect(toUnit(Number.POSITIVE_INFINITY)).toBe(1);
  });

  it("interleaves planes into pixels, row by row", () => {
    const planes = Float32Array.of(-1, 1, -1, -1, -1, -1, 1, -1, 1, 1, 1, 1);

    const { data } = toPixels(planes, { width: 2, height: 2 });

    expect([...data]).toEqual([0, 0, 255, 255, 0, 255, 0, 255, 255, 0, 0, 255]);
  });

  it("never leaves 0 to 255 and never falls where brightness rises", () => {
    const value = fc.float({ noNaN: true });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const { data } = toPixels(Float32Array.of(low, high, 0), onePixel);

        expect(data[0]).toBeLessThanOrEqual(data[1] ?? -1);
      }),
    );
  });
});
