import { expect, test } from "vitest";
import { JoinCache } from "./join-cache.ts";
import type { LoraFactors } from "./lora-batch.ts";
import { layOutFactors } from "./lora-layout.ts";

/** Factors of one number, for a module of width 1: 16 floats each once they are laid out. */
function factors(value: number): LoraFactors {
  const one = Float32Array.of(value);
  return layOutFactors({ rank: 1, scale: 1, down: one, up: one });
}

const bytesOfTwo = 2 * 2 * 16 * 4;

test("an adapter alone on a module is used where it lies", () => {
  const only = factors(3);

  const joined = new JoinCache(0).of(["a"]).factors("layer", [only]);

  expect(joined.ranks).toBe(16);
  expect(joined.down).toBe(only.down);
  expect(joined.up).toBe(only.up);
});

test("adapters side by side are copied once for as long as they are used", () => {
  const cache = new JoinCache(bytesOfTwo);
  const parts = [factors(1), factors(2)];
  const first = cache.of(["a", "b"]).factors("layer", parts);
  cache.trim();

  expect([first.down[0], first.down[16]]).toEqual([1, 2]);
  expect(cache.of(["a", "b"]).factors("layer", parts)).toBe(first);
});

test("copies of a batch that comes back are found within the bound, and not beyond it", () => {
  const parts = [factors(1), factors(2)];
  const comesBack = (bytesMax: number): boolean => {
    const cache = new JoinCache(bytesMax);
    const before = cache.of(["a", "b"]).factors("layer", parts);
    cache.trim();
    cache.of(["a", "c"]).factors("layer", parts);
    cache.trim();
    return cache.of(["a", "b"]).factors("layer", parts) === before;
  };

  expect(comesBack(2 * bytesOfTwo)).toBe(true);
  expect(comesBack(2 * bytesOfTwo - 1)).toBe(false);
});

test("the copies of the present batch stay, however large they are", () => {
  const cache = new JoinCache(0);
  const parts = [factors(1), factors(2)];
  const first = cache.of(["a", "b"]).factors("layer", parts);
  cache.trim();

  expect(cache.of(["a", "b"]).factors("layer", parts)).toBe(first);
});

test("factors of Kronecker products are copied and counted like others", () => {
  const parts = [Float32Array.of(1), Float32Array.of(2, 3)];
  const comesBack = (bytesMax: number): boolean => {
    const cache = new JoinCache(bytesMax);
    const before = cache.of(["a", "b"]).products("layer", parts);
    cache.trim();
    cache.of(["a", "c"]).products("layer", parts);
    cache.trim();
    return cache.of(["a", "b"]).products("layer", parts) === before;
  };

  expect([...new JoinCache(0).of(["a", "b"]).products("layer", parts)]).toEqual([1, 2, 3]);
  expect(new JoinCache(0).of(["a"]).products("layer", parts.slice(1))).toBe(parts[1]);
  expect([comesBack(24), comesBack(23)]).toEqual([true, false]);
});
