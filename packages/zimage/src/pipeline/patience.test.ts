import { expect, test } from "vitest";
import { releasedParameterCount } from "../model/released-configs.ts";
import { patienceOf } from "./patience.ts";

const released = { parameters: releasedParameterCount, rowPixels: 16 };
const megapixel = 1024 * 1024;

/** Milliseconds for a step of one picture. */
function allow(pixels: number, ask: Parameters<typeof patienceOf>[0]): number {
  const { baseMs, pixelMs } = patienceOf(ask);
  return baseMs + pixels * pixelMs;
}

test("a step of the released model may take ten times what it does on two cores", () => {
  const ask = { ...released, device: "cpu", fileBytes: 6.5e9 } as const;

  // 8.9 s were measured for 256 x 256, and a picture of 1024 x 1024 is 14 times the work.
  expect(allow(256 * 256, ask)).toBeGreaterThan(10 * 8_900);
  expect(allow(megapixel, ask)).toBeGreaterThan(10 * 14 * 8_900);
});

test("a card is found to hang within minutes", () => {
  const ask = { ...released, device: "cuda", fileBytes: 20.5e9 } as const;

  expect(allow(megapixel, ask)).toBeLessThan(6 * 60_000);
});

test("a small model is given no time worth speaking of", () => {
  const ask = { device: "cpu", parameters: 6_313_472, fileBytes: 20e6, rowPixels: 32 } as const;

  expect(allow(512 * 512, ask)).toBeLessThan(1_000);
});
