/** What is wanted by a time goes earliest deadline first, as long as it can make it. */
import { describe, expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver, startAt } from "../../testing/drive-core.ts";

const hour = 3_600_000;

function jobsServed(core: CoreDriver, rounds: number): (string | undefined)[] {
  return Array.from({ length: rounds }, (_, round) => core.takeOne(`w${round}`).spec?.job);
}

describe("jobs with a deadline", () => {
  test("go in the order of their deadlines, not of their arrival", () => {
    const core = CoreDriver.leading();
    for (const [job, at] of Object.entries({ late: 3, early: 1, middle: 2 })) {
      core.store(buildTask(0, { job, deadlineAt: startAt + at * hour }));
    }

    expect(jobsServed(core, 3)).toEqual(["early", "middle", "late"]);
  });

  test("that can no longer make it go on as if they had none, behind those that can", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(2, { job: "lost", deadlineAt: startAt + 1 }));
    core.store(...buildTasks(2, { job: "kept", deadlineAt: startAt + hour }));

    const served = jobsServed(core, 3);

    // Both lanes begin level; the lane of deadlines has the higher rate.
    expect(served.filter((job) => job === "kept")).toHaveLength(2);
    expect(served).toContain("lost");
  });

  test("are judged by what such a task has been seen to cost", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(10, { job: "teacher" }));
    for (let round = 0; round < 10; round += 1) core.finish("w1", core.takeOne("w1"), 60_000);
    core.store(buildTask(0, { deadlineAt: core.now + 30_000 }));

    expect(core.explain()).toMatchObject([{ missesDeadline: true }]);
    core.store(buildTask(0, { job: "k", deadlineAt: core.now + 90_000 }));
    expect(core.explain("k")).toMatchObject([{ missesDeadline: false }]);
  });

  test("are said to miss it, also while their job is paused", () => {
    const core = CoreDriver.leading();
    core.control({ paused: true, deadlineTime: new Date(startAt + 1_000) });
    core.store(buildTask(0));

    expect(core.explain()).toMatchObject([{ missesDeadline: false }]);
    core.wait(2_000);
    expect(core.explain()).toMatchObject([{ missesDeadline: true }]);
  });

  test("get a new chance when a control moves the deadline", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(2, { job: "other", deadlineAt: startAt + 2 * hour }));
    core.store(...buildTasks(2, { deadlineAt: startAt + 1 }));
    jobsServed(core, 1);
    core.control({ deadlineTime: new Date(startAt + hour) });

    expect(jobsServed(core, 2)).toEqual(["j", "j"]);
  });

  test("lose it when a control takes the deadline away", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { deadlineAt: startAt + hour }));
    core.store(buildTask(0, { job: "other", deadlineAt: startAt + 2 * hour }));
    core.control({});
    core.store(buildTask(1));

    expect(jobsServed(core, 3)).toContain("other");
    expect(core.explain("j")).toEqual([]);
  });

  test("that are all too late by the thousand cost a step and not the leader", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    for (let job = 0; job < 15_000; job += 1) {
      core.store(buildTask(0, { job: `j${job}`, deadlineAt: startAt + 1_000 }));
    }
    core.now += hour;

    expect(core.takeOne("w1").spec?.job).toBe("j0");
  });
});
