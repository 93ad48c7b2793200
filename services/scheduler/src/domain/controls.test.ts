/** What clients want of a job while it runs: pause, approve, bound, before its tasks and after. */
import { limits, OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver, indicesOf, only } from "../../testing/drive-core.ts";

describe("a paused job", () => {
  test("starts nothing until it is resumed, and what runs goes on", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(3));
    const lease = core.takeOne("w1");

    expect(core.control({ paused: true })).toEqual([]);
    expect(core.ask("w2")).toEqual([]);
    expect(core.reasonsOf()).toEqual({ job_paused: 2 });
    expect(only(core.finish("w1", lease), "control-cancel")).toEqual([]);
    expect(only(core.control({}), "grant").map(indicesOf)).toEqual([[1]]);
  });

  test("keeps its place: it is before what came later when it goes on", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(1));
    core.control({ paused: true });
    core.store(buildTask(0, { job: "later" }));
    core.control({});

    expect(core.takeOne("w1").spec?.job).toBe("j");
  });

  test("still expires and can be canceled", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { expireAt: core.now + 500 }), buildTask(1));
    core.control({ paused: true });

    expect(only(core.wait(500), "publish-outcome")).toMatchObject([{ reason: "expired" }]);
    core.end(buildTask(1), OutcomeKind.CANCELED);
    expect(core.reasonsOf()).toEqual({ ending: 1 });
  });

  test("takes no part in what comes back from workers", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const lease = core.takeOne("w1");
    core.control({ paused: true });
    core.report("w1", lease);

    expect(core.ask("w1")).toEqual([]);
  });
});

describe("a job with a control record", () => {
  test("starts nothing before the record is known", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { isControlled: true }));

    expect(core.ask("w1")).toEqual([]);
    expect(core.explain()).toMatchObject([{ detail: expect.stringContaining("not known") }]);
    expect(only(core.control({}), "grant")).toHaveLength(1);
  });

  test("obeys it although it came before the first task", () => {
    const core = CoreDriver.leading();
    core.control({ paused: true });
    core.store(buildTask(0, { isControlled: true }));

    expect(core.ask("w1")).toEqual([]);
  });

  test("obeys it again after all its tasks had ended and more came", () => {
    const core = CoreDriver.leading();
    core.control({ maxConcurrency: 1 });
    core.store(buildTask(0));
    core.finish("w1", core.takeOne("w1"));
    core.store(...buildTasks(2, {}, 1));
    core.take("w1", 8);

    expect(core.ask("w2")).toEqual([]);
  });
});

describe("a bound of running tasks", () => {
  test("holds within one batch and over all workers", () => {
    const core = CoreDriver.leading();
    core.control({ maxConcurrency: 3 });
    core.store(...buildTasks(9));

    expect(core.take("w1", 2).leases).toHaveLength(2);
    expect(core.take("w2", 8).leases).toHaveLength(1);
    expect(core.ask("w3")).toEqual([]);
    expect(core.reasonsOf()).toEqual({ job_limit: 6 });
  });

  test("lets the next task start when one ends, however it ends", () => {
    const core = CoreDriver.leading();
    core.control({ maxConcurrency: 1 });
    core.store(...buildTasks(3));
    const lease = core.takeOne("w1");
    core.ask("w2");

    expect(only(core.report("w1", lease), "grant").map(indicesOf)).toEqual([[0]]);
    core.ask("w3");
    expect(only(core.end(buildTask(0), OutcomeKind.CANCELED), "grant")).toHaveLength(1);
  });

  test("that is lowered stops nothing that runs", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(4));
    const [one, two] = [core.takeOne("w1"), core.takeOne("w2")];
    const effects = core.control({ maxConcurrency: 1 });
    core.ask("w3");

    expect(only(effects, "control-cancel")).toEqual([]);
    expect(only(core.finish("w1", one), "grant")).toEqual([]);
    expect(only(core.finish("w2", two), "grant")).toHaveLength(1);
  });
});

describe("a sample", () => {
  test("runs before approval, the rest after it", () => {
    const core = CoreDriver.leading();
    core.control({ sampleTasks: 2 });
    core.store(...buildTasks(5));

    expect(indicesOf(core.take("w1", 8))).toEqual([0, 1]);
    expect(core.ask("w2", { slots: 8 })).toEqual([]);
    expect(core.reasonsOf()).toEqual({ awaiting_approval: 3 });
    const [grant] = only(core.control({ sampleTasks: 2, approved: true }), "grant");
    expect(grant && indicesOf(grant)).toEqual([2, 3, 4]);
  });

  test("is the first tasks by index, whenever they come and come back", () => {
    const core = CoreDriver.leading();
    core.control({ sampleTasks: 1 });
    core.store(buildTask(1), buildTask(0));
    core.report("w1", core.takeOne("w1"));

    expect(indicesOf(core.take("w1", 8))).toEqual([0]);
  });

  test.each([1, 3])("that is asked for late, or changed to %d, counts for what waits", (size) => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(5));
    core.control({ sampleTasks: 2 });
    core.control({ sampleTasks: size });

    expect(core.reasonsOf()).toEqual({ no_workers: size, awaiting_approval: 5 - size });
    expect(core.take("w1", 8).leases).toHaveLength(size);
  });

  test("of a paused job waits too", () => {
    const core = CoreDriver.leading();
    core.control({ sampleTasks: 2, paused: true });
    core.store(...buildTasks(3));

    expect(core.reasonsOf()).toEqual({ job_paused: 3 });
  });

  test("keeps how long its tasks have waited", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(2));
    core.now += 5_000;
    core.control({ sampleTasks: 1 });

    expect(core.take("w1").waitedMs).toEqual([5_000]);
  });
});

describe("a failure budget", () => {
  test("does not stop what runs, but what comes back of it ends", () => {
    const core = CoreDriver.leading();
    core.control({ maxFailedTasks: 1 });
    core.store(...buildTasks(3));
    const lease = core.takeOne("w1");

    const effects = core.end(buildTask(2), OutcomeKind.FAILED);

    expect(only(effects, "publish-outcome").map(({ id }) => id.index)).toEqual([1]);
    expect(only(core.report("w1", lease), "publish-outcome")).toMatchObject([
      { reason: "job-failure-budget", id: { index: 0 } },
    ]);
  });

  test("leaves other jobs alone", () => {
    const core = CoreDriver.leading();
    core.control({ maxFailedTasks: 1 });
    core.store(...buildTasks(2), buildTask(0, { job: "other" }));
    core.end(buildTask(0), OutcomeKind.FAILED);

    expect(core.take("w1", limits.batchTasksMax).leases).toMatchObject([
      { spec: { job: "other" } },
    ]);
  });
});
