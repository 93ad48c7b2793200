/** Projects share device time by weight, whatever their tasks cost and whoever comes and goes. */
import { limits } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver, engineCrash, only } from "../../testing/drive-core.ts";

const typicalMs = 1_000;

/** Serves one task after the other on one worker; gives how many of each project were served. */
function serve(core: CoreDriver, rounds: number, costOf: (project: string) => number) {
  const served: Record<string, number> = {};
  for (let round = 0; round < rounds; round += 1) {
    const lease = core.takeOne("w1");
    const project = lease.spec?.project ?? "";
    served[project] = (served[project] ?? 0) + 1;
    core.now += costOf(project);
    core.finish("w1", lease, costOf(project));
  }
  return served;
}

/** A core that has learnt what a task of either shape costs on the device. */
function taught(widths: Record<number, number>): CoreDriver {
  const core = CoreDriver.leading();
  for (const [width, ms] of Object.entries(widths)) {
    core.store(...buildTasks(20, { project: "teacher", job: `t${width}`, width: Number(width) }));
    for (let round = 0; round < 20; round += 1) core.finish("w1", core.takeOne("w1"), ms);
  }
  return core;
}

describe("projects with a backlog", () => {
  test("get device time in proportion to their weights", () => {
    const core = CoreDriver.leading();
    core.projectPolicy("heavy", { weight: 3 });
    core.store(...buildTasks(80, { project: "heavy" }), ...buildTasks(80, { project: "light" }));

    expect(serve(core, 80, () => typicalMs)).toEqual({ heavy: 60, light: 20 });
  });

  test("get the same device time, not the same number of tasks, once costs are known", () => {
    const core = taught({ 64: 500, 128: 2_000 });
    core.store(...buildTasks(100, { project: "big", width: 128 }));
    core.store(...buildTasks(100, { project: "small", width: 64 }));

    const served = serve(core, 100, (project) => (project === "big" ? 2_000 : 500));

    expect(served["small"]).toBeGreaterThanOrEqual(79);
    expect(served["small"]).toBeLessThanOrEqual(81);
  });

  test("pay what the device worked, although it was predicted otherwise", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(60, { project: "slow", width: 64 }));
    core.store(...buildTasks(60, { project: "quick", width: 128 }));
    const spent: Record<string, number> = { slow: 0, quick: 0 };

    for (let round = 0; round < 60; round += 1) {
      const lease = core.takeOne("w1");
      const project = lease.spec?.project ?? "";
      const ms = project === "slow" ? 3_000 : 1_000;
      spent[project] = (spent[project] ?? 0) + ms;
      core.finish("w1", lease, ms);
    }

    expect(Math.abs((spent["slow"] ?? 0) - (spent["quick"] ?? 0))).toBeLessThanOrEqual(4_000);
  });

  test("get nothing for the time in which they were idle", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(80, { project: "busy" }));
    serve(core, 40, () => typicalMs);
    core.store(...buildTasks(40, { project: "back" }));

    const served = serve(core, 20, () => typicalMs);

    expect(served).toEqual({ busy: 10, back: 10 });
  });

  test("change their share at once when the weight changes", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(80, { project: "a" }), ...buildTasks(80, { project: "b" }));
    serve(core, 20, () => typicalMs);
    core.projectPolicy("a", { weight: 4 });

    const served = serve(core, 50, () => typicalMs);

    expect(served["a"]).toBeGreaterThanOrEqual(39);
    expect(served["b"]).toBeGreaterThanOrEqual(9);
  });
});

describe("two projects that always have a backlog", () => {
  test("never differ by more than one task of each, over any window", () => {
    const weight = fc.integer({ min: 1, max: 20 });
    const ms = fc.integer({ min: 1, max: 5_000 });
    const costs = fc.array(ms, { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(fc.tuple(weight, weight), fc.tuple(costs, costs), (weights, tasks) => {
        const core = CoreDriver.leading();
        for (const [place, project] of ["a", "b"].entries()) {
          core.projectPolicy(project, { weight: weights[place] ?? 1 });
          core.store(...buildTasks(40, { project, width: 64 * (place + 1) }));
        }
        const had = [0, 0];
        const largest = weights.map((each) => 5_000 / each);
        let [lowest, highest] = [0, 0];

        while (core.countQueued() > 40) {
          const lease = core.takeOne("w1");
          const { project, index = 0 } = lease.spec ?? {};
          const place = project === "a" ? 0 : 1;
          const cost = tasks[place]?.[index] ?? 1;
          core.finish("w1", lease, cost);
          had[place] = (had[place] ?? 0) + cost / (weights[place] ?? 1);
          const ahead = (had[0] ?? 0) - (had[1] ?? 0);
          [lowest, highest] = [Math.min(lowest, ahead), Math.max(highest, ahead)];
          // Whoever has run dry is not backlogged any more.
          if (Object.keys(core.reasonsOf("j", "a")).length === 0) break;
          if (Object.keys(core.reasonsOf("j", "b")).length === 0) break;
        }

        const bound = (largest[0] ?? 0) + (largest[1] ?? 0);
        expect(highest - lowest).toBeLessThanOrEqual(bound + 1e-6);
      }),
      { numRuns: 100 },
    );
  });
});

describe("a guarantee", () => {
  test("comes before any share, until so many tasks run", () => {
    const core = CoreDriver.leading();
    core.projectPolicy("sure", { guaranteeTasks: 2 });
    core.store(...buildTasks(9, { project: "first" }));
    core.take("w0");
    core.store(...buildTasks(9, { project: "sure" }));

    const order = ["w1", "w2", "w3", "w4"].map((worker) => core.takeOne(worker).spec?.project);

    expect(order.slice(0, 2)).toEqual(["sure", "sure"]);
    expect(order.slice(2)).toContain("first");
  });

  test("of several projects goes first to who has the smallest part of it", () => {
    const core = CoreDriver.leading();
    core.projectPolicy("a", { guaranteeTasks: 4 });
    core.projectPolicy("b", { guaranteeTasks: 2 });
    core.store(...buildTasks(9, { project: "a" }), ...buildTasks(9, { project: "b" }));

    const order = Array.from({ length: 6 }, (_, n) => core.takeOne(`w${n}`).spec?.project);

    expect(order.filter((project) => project === "b")).toHaveLength(2);
    expect(order.slice(0, 3).filter((project) => project === "b")).toHaveLength(1);
  });
});

describe("a burst", () => {
  test("is never exceeded, in no batch and in all pools together", () => {
    const core = CoreDriver.leading();
    core.projectPolicy("p", { burstTasks: 3 });
    core.store(...buildTasks(9, { project: "p" }));
    core.store(...buildTasks(9, { project: "p", pool: "large", job: "l" }));

    const here = core.take("w1", 2).leases;
    const there = core.askFor("w2", { pool: "large", slots: 8 })?.leases ?? [];

    expect(here.length + there.length).toBe(3);
    expect(core.askFor("w3", { slots: 8 })).toBeUndefined();
    expect(core.reasonsOf("j", "p")).toEqual({ project_limit: 7 });
  });

  test("that is full lets others have the worker, and ends when a task ends", () => {
    const core = CoreDriver.leading();
    core.projectPolicy("p", { burstTasks: 1 });
    core.store(...buildTasks(3, { project: "p" }), buildTask(0, { project: "q" }));
    const lease = core.takeOne("w1");

    expect(core.takeOne("w2").spec?.project).toBe("q");
    core.ask("w3");
    expect(only(core.finish("w1", lease), "grant")).toMatchObject([{ worker: "w3" }]);
  });

  test("that is raised or lifted counts at once", () => {
    const core = CoreDriver.leading();
    core.projectPolicy("p", { burstTasks: 1 });
    core.store(...buildTasks(4, { project: "p" }));
    core.take("w1");
    core.ask("w2");

    expect(only(core.projectPolicy("p", {}), "grant")).toHaveLength(1);
  });
});

describe("what did not happen", () => {
  /** Both projects are alike but for what happened to one task of the first. */
  function firstAfter(happen: (core: CoreDriver) => void): string | undefined {
    const core = CoreDriver.leading();
    core.store(...buildTasks(5, { project: "a" }), ...buildTasks(5, { project: "b" }));
    happen(core);
    return core.takeOne("w2").spec?.project;
  }

  test("is given back: a task that was handed back costs its project no turn", () => {
    expect(firstAfter((core) => core.report("w1", core.takeOne("w1")))).toBe("a");
    expect(firstAfter((core) => core.takeOne("w1"))).toBe("b");
  });

  test("is given back: a grant that was lost costs its project no turn", () => {
    const lose = (core: CoreDriver) => {
      core.takeOne("w1");
      core.leaveOut("w1");
    };

    expect(firstAfter(lose)).toBe("a");
  });

  test("is paid in full if the worker of a lost grant finished after all", () => {
    const pay = (core: CoreDriver) => {
      const lease = core.takeOne("w1");
      core.leaveOut("w1");
      core.finish("w1", lease, typicalMs);
    };

    expect(firstAfter(pay)).toBe("b");
  });

  test("is not confused with a crash, after which the device had worked", () => {
    const crash = (core: CoreDriver) => {
      core.beat("w1", []);
      core.beat("w2", []);
      core.report("w1", core.takeOne("w1"), engineCrash);
    };

    expect(firstAfter(crash)).toBe("b");
  });
});

describe("a takeover", () => {
  test("makes what an earlier leader granted no gift", () => {
    const core = new CoreDriver(2n);
    core.store(...buildTasks(4, { project: "a" }), ...buildTasks(4, { project: "b" }));
    const [task] = buildTasks(1, { project: "a" });
    const lease = { spec: task?.spec, fence: 1n << 32n, attempt: 1 };
    core.step({ kind: "rebuilt" });
    core.beat("w1", [{ project: "a", job: "j", index: 0, fence: lease.fence, step: 1 }]);
    core.wait(limits.takeoverGraceMs);
    core.finish("w1", lease, typicalMs);

    expect(core.takeOne("w1").spec?.project).toBe("b");
  });
});
