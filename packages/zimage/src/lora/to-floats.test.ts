import { expect, test } from "vitest";
import { toFloats } from "./to-floats.ts";

function converted(dtype: "F16" | "BF16", ...bits: number[]): number[] {
  const floats = new Float32Array(bits.length);
  toFloats(new Uint8Array(Uint16Array.from(bits).buffer), dtype, floats);
  return [...floats];
}

test("float16 in all its forms", () => {
  expect(converted("F16", 0x3c00, 0xc000, 0x7bff, 0x3555, 0x0000)).toEqual([
    1,
    -2,
    65_504,
    Math.fround(0.333251953125),
    0,
  ]);
  expect(converted("F16", 0x0001, 0x83ff, 0x0400)).toEqual([2 ** -24, -1023 * 2 ** -24, 2 ** -14]);
  expect(converted("F16", 0x7c00, 0xfc00, 0x7e00)).toEqual([
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ]);
});

test("bfloat16 is the upper half of a float32", () => {
  expect(converted("BF16", 0x3f80, 0xc040, 0x7f80, 0x0001)).toEqual([
    1,
    -3,
    Number.POSITIVE_INFINITY,
    2 ** -133,
  ]);
  expect(converted("BF16", 0x3f80, 0xc040, 0xbf80)).toEqual([1, -3, -1]);
});

test.each([
  ["F16", [0x3c00, 0xc200], 3],
  ["F16", [0x3c00, 0xfc00], Number.POSITIVE_INFINITY],
  ["BF16", [0x8000, 0xc040], 3],
  ["BF16", [0xffc0, 0x7f80], Number.NaN],
  ["BF16", [0x3f80, 0x8000, 0xc040], 3],
  ["BF16", [0x3f80, 0xc040, 0x8000], 3],
] as const)("the peak of %s counts both signs and puts NaN above all", (dtype, bits, peak) => {
  const bytes = new Uint8Array(Uint16Array.from(bits).buffer);

  expect(toFloats(bytes, dtype, new Float32Array(bits.length))).toBe(peak);
});

test("float32 is taken as it is", () => {
  const values = Float32Array.of(1.5, -4.25, 0);

  expect(toFloats(new Uint8Array(values.buffer), "F32", values)).toBe(4.25);
  expect([...values]).toEqual([1.5, -4.25, 0]);
});
