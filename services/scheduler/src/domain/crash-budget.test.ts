import { defaultProject, limits, type ProjectId } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CrashBudget } from "./crash-budget.ts";

const hourMs = 3_600_000;

/** A budget after so many crashes, one a second from time 0 on. */
function budgetAfter(crashes: number): CrashBudget {
  const budget = new CrashBudget();
  for (let index = 0; index < crashes; index += 1) budget.noteCrash(defaultProject, index * 1_000);
  return budget;
}

describe("a project whose tasks crash workers", () => {
  test("is isolated by one crash too many in an hour, until the hour is over", () => {
    const { projectCrashesPerHourMax: most } = limits;

    expect(budgetAfter(most).isIsolated(defaultProject, most * 1_000)).toBe(false);
    const budget = budgetAfter(most + 1);
    expect(budget.isIsolated(defaultProject, most * 1_000)).toBe(true);
    expect(budget.isolatedUntil(defaultProject)).toBe(hourMs);
    expect(budget.isIsolated(defaultProject, hourMs)).toBe(false);
  });

  test("is isolated alone", () => {
    expect(budgetAfter(100).isIsolated("other" as ProjectId, 100_000)).toBe(false);
  });

  test("is judged by the crashes of the last hour, however many there were before", () => {
    const gaps = fc.array(fc.nat(hourMs / 4), { maxLength: 100 });
    fc.assert(
      fc.property(gaps, fc.nat(hourMs), (between, laterMs) => {
        const budget = new CrashBudget();
        const times: number[] = [];
        let now = 0;
        for (const gap of between) {
          now += gap;
          times.push(now);
          budget.noteCrash(defaultProject, now);
        }

        now += laterMs;
        const recent = times.filter((at) => at > now - hourMs);
        const isIsolated = budget.isIsolated(defaultProject, now);
        expect(isIsolated).toBe(recent.length > limits.projectCrashesPerHourMax);
      }),
    );
  });

  test("is forgotten when very many others have crashed since", () => {
    const budget = budgetAfter(100);

    for (let index = 0; index < limits.crashProjectsMax; index += 1) {
      budget.noteCrash(`p${index}` as ProjectId, 100_000);
    }

    expect(budget.isIsolated(defaultProject, 100_000)).toBe(false);
  });
});
