import type { TaskKey } from "@zfarm/contract";
import { expect, test } from "vitest";
import { RecentOutcomes } from "./recent-outcomes.ts";

const key = (index: number) => `p.j.${index}` as TaskKey;

test("remembers the newest keys up to its capacity and forgets the oldest", () => {
  const recent = new RecentOutcomes(3);

  for (let index = 0; index < 5; index += 1) recent.add(key(index));

  expect([0, 1, 2, 3, 4].map((index) => recent.has(key(index)))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
});

test("a repeated key takes no second place", () => {
  const recent = new RecentOutcomes(2);

  for (const index of [0, 1, 1, 1]) recent.add(key(index));

  expect(recent.has(key(0))).toBe(true);
});
