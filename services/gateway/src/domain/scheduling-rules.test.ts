import { limits, PriorityClass } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { plainPool } from "../../test/builders.ts";
import { applyMask, readMask } from "./scheduling-mask.ts";
import { checkScheduling, fillScheduling, needsControl, noScheduling } from "./scheduling-rules.ts";
import { stackProblem } from "./stack-rules.ts";
import { Violations } from "./violations.ts";

const faultsOf = (violations: Violations): string[] =>
  violations.count === 0
    ? []
    : violations.toError().violations.map(({ field, reason }) => `${field} ${reason}`);

describe("scheduling", () => {
  test("of nothing is always right, and so is each bound itself", () => {
    const violations = new Violations();
    const place = { path: "s", tasks: 3, nowMs: 1_000 };
    checkScheduling(noScheduling, place, violations);
    const most = {
      priorityClass: PriorityClass.BATCH,
      priority: limits.priorityMax,
      deadlineTime: new Date(1_000 + limits.deadlineMsMax),
      maxConcurrency: limits.tasksPerJobMax,
      maxFailedTasks: 3,
      sampleTasks: 3,
    };
    checkScheduling(most, place, violations);

    expect(faultsOf(violations)).toEqual([]);
  });

  test("a deadline that is now, or no time at all, is refused", () => {
    const violations = new Violations();
    const place = { path: "s", tasks: 3, nowMs: 1_000 };
    for (const deadlineTime of [new Date(1_000), new Date(Number.NaN)]) {
      checkScheduling({ ...noScheduling, deadlineTime }, place, violations);
    }

    expect(faultsOf(violations)).toEqual(Array(2).fill("s.deadline_time OUT_OF_RANGE"));
  });

  test("of one picture holds nothing back, since there is nothing to hold", () => {
    const held = { ...noScheduling, maxConcurrency: 1, maxFailedTasks: 1, sampleTasks: 1 };

    const filled = fillScheduling(held, "image");

    expect(needsControl(held)).toBe(true);
    expect(needsControl(filled)).toBe(false);
    expect(filled.priorityClass).toBe(PriorityClass.INTERACTIVE);
  });
});

describe("a mask", () => {
  test.each<[string[], string[]]>([
    [["priority"], ["priority"]],
    [
      ["scheduling.deadline_time", "max_concurrency"],
      ["deadlineTime", "maxConcurrency"],
    ],
    [["scheduling"], Object.keys(noScheduling)],
  ])("%j names %j", (paths, fields) => {
    const violations = new Violations();

    expect([...readMask(paths, violations)]).toEqual(fields);
    expect(faultsOf(violations)).toEqual([]);
  });

  test.each<[string, string[] | undefined, string[]]>([
    ["that is absent", undefined, ["update_mask REQUIRED"]],
    ["of nothing", [], ["update_mask REQUIRED"]],
    [
      "of what cannot change",
      ["priority", "pool", "scheduling.", "scheduling.scheduling.priority", "*"],
      [1, 2, 3, 4].map((index) => `update_mask.paths[${index}] UNKNOWN_FIELD`),
    ],
    ["beyond its bound", Array(17).fill("priority"), ["update_mask TOO_MANY"]],
  ])("%s is refused", (_name, paths, faults) => {
    const violations = new Violations();

    readMask(paths, violations);

    expect(faultsOf(violations)).toEqual(faults);
  });

  test("changes nothing that it does not name", () => {
    const base = { ...noScheduling, priority: 7, maxConcurrency: 2, deadlineTime: new Date(5) };
    const changes = { ...noScheduling, priority: 9, maxConcurrency: 9 };

    const changed = applyMask(base, changes, new Set(["priority", "deadlineTime"] as const));

    expect(changed).toEqual({ ...base, priority: 9, deadlineTime: undefined });
  });
});

describe("a stack of adapters", () => {
  const pool = { ...plainPool, rankBudget: 64 };
  const stack = (...ranks: number[]) => ({
    adapters: ranks.map((rank) => ({ digest: "d", weight: 1, rank, sizeBytes: 1n })),
  });

  test("is refused where its ranks are more than any worker of the pool takes", () => {
    expect(stackProblem(undefined, pool)).toBeUndefined();
    expect(stackProblem(stack(32, 32), pool)).toBeUndefined();
    expect(stackProblem(stack(32, 33), pool)).toBe(
      "the adapters have rank 65 together; pool default takes 64",
    );
  });

  test("is refused by a pool that takes none", () => {
    expect(stackProblem(stack(1), { ...pool, rankBudget: undefined })).toContain("bare model");
    expect(stackProblem(stack(), { ...pool, rankBudget: undefined })).toBeUndefined();
  });
});
