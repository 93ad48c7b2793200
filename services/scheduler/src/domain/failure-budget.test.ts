/** Jobs that fail as a whole once more of their tasks failed than they allow. */
import { type JobControl, OutcomeKind, type QueuedTask } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver, only } from "../../testing/drive-core.ts";
import type { SchedulerEffect } from "./scheduler-effect.ts";

const budgetOf = (maxFailedTasks: number): JobControl => ({
  project: "default",
  job: "j",
  scheduling: {
    priorityClass: 0,
    priority: 0,
    deadlineTime: undefined,
    maxConcurrency: 0,
    maxFailedTasks,
    sampleTasks: 0,
  },
  paused: false,
  approved: false,
});

const control = (core: CoreDriver, maxFailedTasks: number): readonly SchedulerEffect[] =>
  core.step({ kind: "job-controlled", control: budgetOf(maxFailedTasks) });

const fail = (core: CoreDriver, task: QueuedTask): readonly SchedulerEffect[] =>
  core.end(task, OutcomeKind.FAILED);

/** The indices of the tasks that are told to fail, and why. */
const failedBy = (effects: readonly SchedulerEffect[]): [number, string | undefined][] =>
  only(effects, "publish-outcome").map(({ id, outcome }) => [id.index, outcome.failure?.reason]);

const reason = "JOB_FAILURE_BUDGET";

describe("a failure budget", () => {
  test("fails what waits once it is spent, and not before", () => {
    const core = CoreDriver.leading();
    control(core, 2);
    const tasks = [0, 1, 2, 3].map((index) => buildTask(index));
    const [first, second] = tasks as [QueuedTask, QueuedTask];
    core.store(...tasks);

    expect(failedBy(fail(core, first))).toEqual([]);
    const effects = fail(core, second);

    expect(failedBy(effects)).toEqual([
      [2, reason],
      [3, reason],
    ]);
  });

  test("counts what failed before this leader's term", () => {
    const core = new CoreDriver();
    control(core, 2);
    for (const index of [0, 1]) fail(core, buildTask(index));

    expect(failedBy(core.store(buildTask(2)))).toEqual([[2, reason]]);
  });

  test("counts each failed task once, however often it is told", () => {
    const core = new CoreDriver();
    control(core, 2);
    for (let times = 0; times < 3; times += 1) fail(core, buildTask(0));

    expect(failedBy(core.store(buildTask(2)))).toEqual([]);
  });

  test("of tasks that are still being stored counts those that failed meanwhile", () => {
    const core = CoreDriver.leading();
    control(core, 1);
    core.store(buildTask(0));
    fail(core, buildTask(0));

    expect(failedBy(core.store(buildTask(1)))).toEqual([[1, reason]]);
  });

  test("that comes late counts what is told after it", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(2));
    control(core, 1);

    expect(failedBy(fail(core, buildTask(0)))).toEqual([[2, reason]]);
  });

  test("that is lifted lets what comes run", () => {
    const core = CoreDriver.leading();
    control(core, 1);
    fail(core, buildTask(0));
    control(core, 0);

    expect(failedBy(core.store(buildTask(1)))).toEqual([]);
  });
});
