/** Old parts of a sum fade, whenever it was begun. */
import { limits } from "@zfarm/contract";
import { expect, test } from "vitest";
import { RecentSum } from "./recent-sum.ts";

const half = limits.recentUseHalfMs;

test("what was added counts half after the time for it, however often it ages meanwhile", () => {
  const sum = new RecentSum();
  sum.age(0);
  sum.add(8);
  for (let at = 0; at <= half; at += 1_000) sum.age(at);

  expect(sum.value).toBeCloseTo(4);
  sum.age(half * 3);
  expect(sum.value).toBeCloseTo(1);
});

test("a sum that begins late does not fade for the time before it", () => {
  const sum = new RecentSum();
  sum.add(8);

  sum.age(half * 40);

  expect(sum.value).toBe(8);
});

test("a correction of what has faded leaves nothing, and not less", () => {
  const sum = new RecentSum();
  sum.add(8);
  sum.age(0);
  sum.age(half);
  sum.add(-8);

  expect(sum.value).toBe(0);
});
