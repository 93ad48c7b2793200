import { type TaskId, taskIdOf } from "@zfarm/contract";
import { expect, test } from "vitest";
import { RecentOutcomes } from "./recent-outcomes.ts";

/** Ten tasks a job. */
const task = (n: number): TaskId =>
  taskIdOf({ project: "p", job: `j${Math.floor(n / 10)}`, index: n % 10 });
const known = (recent: RecentOutcomes, indexes: readonly number[]) =>
  indexes.filter((index) => recent.has(task(index)));

test("remembers as many of the newest keys as it has room for, whenever it is asked", () => {
  const recent = new RecentOutcomes(3);

  for (let index = 0; index < 20; index += 1) {
    expect(recent.add(task(index))).toBe(true);
    const newest = [index - 2, index - 1, index].filter((each) => each >= 0);
    expect(known(recent, newest)).toEqual(newest);
  }
});

test("forgets the oldest, so that it never holds more than twice its room", () => {
  const recent = new RecentOutcomes(3);
  const all = Array.from({ length: 20 }, (_, index) => index);

  for (const index of all) {
    recent.add(task(index));
    expect(known(recent, all).length).toBeLessThanOrEqual(6);
  }
  expect(recent.has(task(0))).toBe(false);
});

test("a repeated key is not new and takes no second place", () => {
  const recent = new RecentOutcomes(2);

  expect([0, 1, 1, 1].map((index) => recent.add(task(index)))).toEqual([true, true, false, false]);
  expect(recent.has(task(0))).toBe(true);
});
