/** What operators are told of the queue adds up, whatever the tasks do. */
import { limits, type PoolQueue, PriorityClass, WaitReason } from "@zfarm/contract";
import { expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver } from "../../testing/drive-core.ts";

/** As of now: what was measured a moment ago is not used again. */
function queueOf(core: CoreDriver, pool = "default"): PoolQueue | undefined {
  core.wait(limits.queueStatsEveryMs);
  return core.scheduler.measureQueues().find(({ pool: name }) => name === `pools/${pool}`);
}

test("tasks are counted by class, by project and by reason, each once", () => {
  const core = CoreDriver.leading();
  core.store(
    ...buildTasks(3, { project: "p" }),
    ...buildTasks(2, { project: "q", job: "k" }),
    buildTask(0, { pool: "large", job: "l" }),
  );
  const lease = core.takeOne("w1");

  const queue = queueOf(core);

  expect(lease.spec?.project).toBe("p");
  expect(queue).toMatchObject({ waiting: 4, running: 1, projectCount: 2, weights: 2 });
  expect(queue?.classes).toMatchObject([
    { priorityClass: PriorityClass.STANDARD, waiting: 4, running: 1 },
  ]);
  expect(queue?.projects).toMatchObject([
    { project: "projects/p", waiting: 2, running: 1, dueShare: 0.5, usedShare: 1 },
    { project: "projects/q", waiting: 2, running: 0, dueShare: 0.5, usedShare: 0 },
  ]);
  const waiting = queue?.reasons.reduce((sum, { tasks }) => sum + tasks, 0);
  expect(waiting).toBe(4);
  expect(queueOf(core, "large")).toMatchObject({
    waiting: 1,
    reasons: [{ reason: WaitReason.NO_WORKERS, tasks: 1 }],
  });
});

test("the backlog is what waits, in device time, and empties with it", () => {
  const core = CoreDriver.leading();
  core.store(...buildTasks(2));
  core.finishAll(core.take("w1", 2), 3_000);
  core.store(...buildTasks(4, { job: "more" }));

  expect(queueOf(core)?.backlogSeconds).toBeCloseTo(12, 1);
  core.finishAll(core.take("w1", 8), 3_000);
  expect(queueOf(core)).toMatchObject({ waiting: 0, running: 0, backlogSeconds: 0, projects: [] });
});

test("what a project used long ago hardly counts", () => {
  const core = CoreDriver.leading();
  core.store(buildTask(0, { project: "p" }), ...buildTasks(2, { project: "p", job: "rest" }));
  const lease = core.takeOne("w1");
  core.finish("w1", lease, 60_000);
  core.control({ job: "rest", paused: true });
  const before = queueOf(core)?.usedSeconds ?? 0;

  core.wait(limits.recentUseHalfMs * 4);

  expect(before).toBeGreaterThan(50);
  expect(queueOf(core)?.usedSeconds).toBeLessThan(before / 8);
});

test("many looks within a moment share one measurement", () => {
  const core = CoreDriver.leading();
  core.store(buildTask(0));

  const first = core.scheduler.measureQueues();
  core.store(buildTask(1));

  expect(core.scheduler.measureQueues()).toBe(first);
  expect(queueOf(core)?.waiting).toBe(2);
});
