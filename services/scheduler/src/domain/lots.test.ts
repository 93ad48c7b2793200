/** Tasks wait in lots of those that are alike; what the lots promise while tasks come and go. */
import { limits, OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver, indicesOf, only } from "../../testing/drive-core.ts";

describe("a lot", () => {
  test("that a task only passed through is never granted", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { attempts: 1 }), buildTask(1, { width: 128 }));
    core.control({ paused: true });
    core.control({ paused: false });

    expect(indicesOf(core.take("w1"))).toEqual([0]);
    expect(indicesOf(core.take("w2"))).toEqual([1]);
  });

  test("keeps the order in which its tasks came, whoever leaves from the middle", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(6));
    core.end(buildTask(0), OutcomeKind.CANCELED);
    core.end(buildTask(3), OutcomeKind.CANCELED);

    expect(indicesOf(core.take("w1", limits.batchTasksMax))).toEqual([1, 2, 4, 5]);
  });

  test("expires as a whole, and tasks with another expire time stay", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(3, { expireAt: core.now + 500 }));
    core.store(...buildTasks(2, { expireAt: core.now + 900 }, 3));

    const expired = only(core.wait(500), "publish-outcome").map(({ id }) => id.index);

    expect(expired).toEqual([0, 1, 2]);
    expect(indicesOf(core.take("w1", 8))).toEqual([3, 4]);
  });

  test("of tasks that were tried goes before that of fresh ones, of every project's own", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(3));
    core.report("w1", core.takeOne("w1"));

    expect(indicesOf(core.take("w2", 8))).toEqual([0, 1, 2]);
  });
});
