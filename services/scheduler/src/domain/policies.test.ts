/** Drains, quarantine, isolation: which workers and projects are kept out, and until when. */
import { limits, WorkerState } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  buildTask,
  buildTasks,
  CoreDriver,
  engineCrash,
  idOf,
  indicesOf,
  listed,
  only,
  taskFault,
} from "../../testing/drive-core.ts";

describe("a worker that is to drain", () => {
  test("is granted nothing, finishes what it has, and is told until it obeys", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(2));
    const lease = core.takeOne("w1");

    expect(core.workerPolicy("w1", { draining: true })).toMatchObject([{ kind: "control-drain" }]);
    expect(core.ask("w1", { running: [listed(lease)] })).toEqual([]);
    expect(only(core.beat("w1", [listed(lease)]), "control-drain")).toHaveLength(1);
    const { DRAINING } = WorkerState;
    expect(only(core.beat("w1", [listed(lease)], DRAINING), "control-drain")).toEqual([]);
    expect(only(core.finish("w1", lease), "grant")).toEqual([]);
  });

  test("is granted something again, and told until it obeys, when the policy is taken back", () => {
    const core = CoreDriver.leading();
    core.workerPolicy("w1", { draining: true });
    core.beat("w1", [], WorkerState.DRAINING);
    core.ask("w1");
    core.store(buildTask(0));

    const effects = core.workerPolicy("w1", {});

    expect(only(effects, "control-resume")).toHaveLength(1);
    expect(only(effects, "grant")).toHaveLength(1);
    expect(only(core.beat("w1", [], WorkerState.DRAINING), "control-resume")).toHaveLength(1);
    expect(only(core.beat("w1", []), "control-resume")).toEqual([]);
  });

  test("is told by the next leader too, when it is first heard", () => {
    const core = new CoreDriver(2n);
    core.workerPolicy("w1", { draining: true });
    core.step({ kind: "rebuilt" });

    expect(only(core.beat("w1", []), "control-drain")).toHaveLength(1);
    expect(core.ask("w1")).toEqual([]);
    core.store(buildTask(0));
    expect(core.reasonsOf()).toEqual({ draining: 1 });
  });

  test("on its own account is not told to go on", () => {
    const core = CoreDriver.leading();

    expect(only(core.beat("w1", [], WorkerState.DRAINING), "control-resume")).toEqual([]);
  });
});

describe("a pool that is to drain", () => {
  test("grants nothing until it is to go on, then serves who asked meanwhile", () => {
    const core = CoreDriver.leading();
    core.poolPolicy({ draining: true });
    core.store(buildTask(0));

    expect(core.ask("w1")).toEqual([]);
    expect(core.reasonsOf()).toEqual({ draining: 1 });
    expect(only(core.poolPolicy({}), "grant")).toHaveLength(1);
  });

  test("leaves other pools alone", () => {
    const core = CoreDriver.leading();
    core.poolPolicy({ draining: true });
    core.store(buildTask(0, { pool: "large" }));

    expect(core.askFor("w1", { pool: "large" })?.leases).toHaveLength(1);
  });
});

/** The worker fails so many tasks, one after the other, as by a fault of its own. */
function failOn(core: CoreDriver, worker: string, tasks: { times: number; from?: number }) {
  const { times, from = 100 } = tasks;
  const effects = [];
  for (let n = 0; n < times; n += 1) {
    const task = buildTask(from + n, { job: `f${worker}` });
    core.store(task);
    core.now += limits.strikeBurstMs;
    effects.push(...core.report(worker, core.takeOne(worker), taskFault));
    core.end(task);
  }
  return effects;
}

describe("a worker in quarantine", () => {
  test("is granted nothing until its time is over", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2"]) core.beat(worker, []);

    const effects = failOn(core, "w1", { times: limits.strikesMax });
    core.store(buildTask(0));
    core.ask("w1");

    expect(only(effects, "worker-quarantined")).toMatchObject([
      { worker: "w1", reason: "BAD_NUMBERS", until: core.now + limits.quarantineMs },
    ]);
    expect(core.scheduler.situationOf(idOf(0))).toBe("waiting");
    const beats = { w1: [], w2: [] };
    const holdMs = limits.askHoldMs + limits.askSpreadMs;
    const until = core.now + limits.quarantineMs;
    while (core.now + holdMs < until) {
      core.waitBeating(holdMs, beats);
      expect(core.ask("w1")).toEqual([]);
    }
    core.waitBeating(holdMs, beats);
    core.wait(limits.forgetEveryMs);
    expect(core.askFor("w1")?.leases).toHaveLength(1);
  });

  test("is served at once when it is forgiven", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2"]) core.beat(worker, []);
    failOn(core, "w1", { times: limits.strikesMax });
    core.store(buildTask(0));
    core.ask("w1");

    const effects = core.workerPolicy("w1", { forgiveTime: new Date(core.now) });

    expect(only(effects, "grant")).toMatchObject([{ worker: "w1" }]);
  });

  test("is never alone with all others: half of a pool goes on", () => {
    const core = CoreDriver.leading();
    const workers = ["w1", "w2", "w3", "w4"];
    for (const worker of workers) core.beat(worker, []);

    const effects = workers.flatMap((worker) => failOn(core, worker, { times: limits.strikesMax }));

    expect(only(effects, "worker-quarantined").map(({ worker }) => worker)).toEqual(["w1", "w2"]);
  });

  test("of a pool of one is not put aside at all", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);

    expect(only(failOn(core, "w1", { times: 9 }), "worker-quarantined")).toEqual([]);
  });

  test("is let go when the tasks are bad everywhere, and its request counts again", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2", "w3"]) core.beat(worker, []);
    const tasks = buildTasks(limits.strikesMax);
    core.store(...tasks);
    for (let n = 0; n < limits.strikesMax; n += 1) {
      core.now += limits.strikeBurstMs;
      core.poolPolicy({});
      const lease = core.takeOne("w1");
      core.control({ paused: true });
      core.report("w1", lease, taskFault);
      core.control({});
      if (n < limits.strikesMax - 1) core.end(buildTask(lease.spec?.index ?? 0));
    }
    core.ask("w1");
    const last = core.takeOne("w2");
    core.store(buildTask(50));
    core.report("w2", last, taskFault);

    core.wait(limits.forgetEveryMs);
    expect(core.askFor("w1")?.leases).toHaveLength(1);
  });
});

/** Crashes of the project under tasks that ran alone. */
function crashAlone(core: CoreDriver, times: number): void {
  for (let n = 0; n < times; n += 1) {
    const task = buildTask(n, { project: "p", job: "crashes", crashedOn: ["w9"] });
    core.store(task);
    const grant = core.take("w1");
    for (const lease of grant.leases) core.report("w1", lease, engineCrash);
    core.end(task);
    core.workerPolicy("w1", { forgiveTime: new Date(core.now) });
  }
}

describe("a project whose tasks crash too much", () => {
  test("runs one task at a time, alone, and says so; then time forgives it", () => {
    const core = CoreDriver.leading();
    crashAlone(core, limits.projectCrashesPerHourMax + 1);
    core.store(...buildTasks(3, { project: "p" }), ...buildTasks(3, { project: "q" }));

    const first = core.take("w1", 8);
    const projects = first.leases.map(({ spec }) => spec?.project);
    const second = core.take("w2", 8);

    const all = [...projects, ...second.leases.map(({ spec }) => spec?.project)];
    expect(all.filter((project) => project === "p")).toHaveLength(1);
    expect(all.filter((project) => project === "q")).toHaveLength(3);
    expect(new Set([first.leases.length, second.leases.length])).toEqual(new Set([1, 3]));
    expect(core.reasonsOf("j", "p")).toEqual({ suspected: 2 });
    core.finishAll(first);
    core.finishAll(second);
    core.wait(3_600_000);
    expect(core.take("w1", 8).leases).toHaveLength(2);
  });

  test("is not one that lost workers under whole batches", () => {
    const core = CoreDriver.leading();
    for (let n = 0; n < 4; n += 1) {
      core.store(...buildTasks(8, { project: "p", job: `b${n}` }));
      const { leases, worker } = core.take(`w${n}`, 8);
      for (const lease of leases) core.report(worker, lease, engineCrash);
      for (const { spec } of leases) core.end({ spec, attempts: 0 });
    }
    core.store(...buildTasks(4, { project: "p" }));

    expect(indicesOf(core.take("w9", 8))).toEqual([0, 1, 2, 3]);
  });

  test("is not isolated by one crash less", () => {
    const core = CoreDriver.leading();
    crashAlone(core, limits.projectCrashesPerHourMax);
    core.store(...buildTasks(3, { project: "p" }));

    expect(core.take("w1", 8).leases).toHaveLength(3);
  });
});
