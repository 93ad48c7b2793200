import { expect, test } from "vitest";
import { StepCosts } from "./step-costs.ts";

test("takes the fastest of the newest runs, since noise only slows", () => {
  const costs = new StepCosts();

  for (const tookMs of [12, 9, 40]) costs.note("g", { pictures: 1, tookMs });

  expect(costs.msOf("g", 1)).toBe(9);
  expect(costs.msOf("g", 2)).toBeUndefined();
  expect(costs.msOf("other", 1)).toBeUndefined();
});

test("follows a machine that got slower", () => {
  const costs = new StepCosts();
  costs.note("g", { pictures: 1, tookMs: 5 });

  for (let run = 0; run < 8; run += 1) costs.note("g", { pictures: 1, tookMs: 20 });

  expect(costs.msOf("g", 1)).toBe(20);
});

test("forgets a size of batch that was not run for long, so that it is tried again", () => {
  const costs = new StepCosts();
  costs.note("g", { pictures: 2, tookMs: 5 });

  for (let run = 0; run < 65; run += 1) costs.note("g", { pictures: 1, tookMs: 4 });

  expect(costs.msOf("g", 2)).toBeUndefined();
});

test("remembers a bounded number of groups, those of the newest runs", () => {
  const costs = new StepCosts();

  for (let group = 0; group < 100; group += 1) {
    costs.note("kept", { pictures: 1, tookMs: 1 });
    costs.note(`${group}`, { pictures: 1, tookMs: 1 });
  }

  expect(costs.msOf("0", 1)).toBeUndefined();
  expect(costs.msOf("kept", 1)).toBe(1);
});
