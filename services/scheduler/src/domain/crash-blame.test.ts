/** Who is blamed for a crash: suspected tasks run alone and elsewhere, and become poison. */
import { limits, OutcomeKind, WaitReason } from "@zfarm/contract";
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
} from "../../testing/drive-core.ts";
import type { Grant, SchedulerEffect } from "./scheduler-effect.ts";

/** A farm whose workers have been heard. */
function farmOf(...workers: string[]): CoreDriver {
  const core = CoreDriver.leading();
  for (const worker of workers) core.beat(worker, []);
  return core;
}

/** The engine of the worker dies under everything that it was granted. */
function crash(core: CoreDriver, { worker, leases }: Grant): SchedulerEffect[] {
  return leases.flatMap((lease) => core.report(worker, lease, engineCrash));
}

describe("a task under which a worker crashed", () => {
  test("runs alone, although the batch has room and others of its shape wait", () => {
    const core = farmOf("w1", "w2");
    core.store(...buildTasks(4));
    crash(core, core.take("w1", 2));

    expect(indicesOf(core.take("w2", 8))).toEqual([0]);
  });

  test("goes to a worker where it has not crashed, while one serves", () => {
    const core = farmOf("w1", "w2");
    core.store(buildTask(0));
    crash(core, core.take("w1"));

    expect(core.ask("w1")).toEqual([]);
    expect(core.askFor("w2")?.leases).toHaveLength(1);
  });

  test.each([
    ["drains", (core: CoreDriver) => core.workerPolicy("w2", { draining: true })],
    ["has gone", (core: CoreDriver) => core.wait(limits.workerForgetMs)],
  ])("goes back to the one it crashed on when the other %s", (_, lose) => {
    const core = farmOf("w1", "w2");
    core.store(buildTask(0));
    crash(core, core.take("w1"));
    lose(core);

    expect(core.askFor("w1")?.leases).toHaveLength(1);
  });

  test("does not join a worker that still runs something", () => {
    const core = farmOf("w1", "w2");
    core.store(buildTask(9, { project: "other" }));
    const busy = core.takeOne("w2");
    core.store(buildTask(0));
    crash(core, core.take("w1"));

    expect(core.ask("w2", { slots: 7, running: [listed(busy)] })).toEqual([]);
    expect(only(core.finish("w2", busy), "grant").map(indicesOf)).toEqual([[0]]);
  });

  test("is joined by nothing while it runs", () => {
    const core = farmOf("w1", "w2");
    core.store(buildTask(0));
    crash(core, core.take("w1"));
    const alone = core.takeOne("w2");
    core.store(buildTask(1));

    expect(core.ask("w2", { slots: 7, running: [listed(alone)] })).toEqual([]);
    expect(only(core.finish("w2", alone), "grant")).toMatchObject([{ worker: "w2" }]);
  });

  test("keeps one busy worker from taking more until it is idle, so that it cannot starve", () => {
    const core = farmOf("w2");
    core.store(...buildTasks(40, { project: "other" }));
    core.projectPolicy("default", { guaranteeTasks: 1 });
    const busy = core.takeOne("w2");
    core.store(buildTask(1, { crashedOn: ["w1"] }));

    expect(core.askFor("w2", { slots: 7, running: [listed(busy)] })).toBeUndefined();
    expect(only(core.finish("w2", busy), "grant").map(indicesOf)).toEqual([[1]]);
  });

  test("hides no other task from the worker that it avoids", () => {
    const core = farmOf("w1", "w2");
    core.store(...buildTasks(12));
    core.store(...buildTasks(3, { width: 128 }, 12));
    crash(core, core.take("w1", 8));
    crash(core, core.take("w1", 8));
    core.beat("w2", []);

    expect(indicesOf(core.take("w1", 8))).toEqual([12, 13, 14]);
  });

  test("is suspected no less by the next leader", () => {
    const core = new CoreDriver(2n);
    for (const worker of ["w1", "w2", "w3"]) core.beat(worker, []);
    core.store(buildTask(0, { crashedOn: ["w1", "w2"] }), buildTask(1));
    core.step({ kind: "rebuilt" });
    core.wait(limits.takeoverGraceMs);

    expect(indicesOf(core.take("w1", 8))).toEqual([1]);
    const alone = core.take("w3", 8);
    expect(indicesOf(alone)).toEqual([0]);
    expect(only(crash(core, alone), "publish-outcome")).toMatchObject([{ reason: "poisoned" }]);
  });

  test("is said to wait for that", () => {
    const core = farmOf("w1", "w2");
    core.store(buildTask(0));
    crash(core, core.take("w1"));

    expect(core.explain()).toMatchObject([
      { reason: WaitReason.SUSPECTED, detail: expect.stringContaining("on w1") },
    ]);
  });
});

describe("poison", () => {
  test("is what crashed three distinct workers, and it spent no attempt by that", () => {
    const core = farmOf("w1", "w2", "w3", "w4");
    core.store(buildTask(0));

    const effects = ["w1", "w2", "w3"].map((worker) => crash(core, core.take(worker)));

    expect(only(effects[1] ?? [], "rewrite-task")).toEqual([]);
    const [end] = only(effects[2] ?? [], "publish-outcome");
    expect(end?.outcome).toMatchObject({
      kind: OutcomeKind.FAILED,
      failure: { reason: "POISONED", message: expect.stringContaining("3 crashes on 3 workers") },
    });
  });

  test("takes no more than three workers along, and nobody else's task twice", () => {
    const core = farmOf("w1", "w2", "w3", "w4");
    core.store(...buildTasks(8));
    const crashes = new Map<number, number>();
    const poisoned = new Set<number>();

    for (let round = 0; round < 60 && core.countQueued() > 0; round += 1) {
      const worker = `w${(round % 4) + 1}`;
      const grant = core.askFor(worker, { slots: 8 });
      if (grant === undefined) core.wait(limits.batchHoldMs);
      else if (indicesOf(grant).includes(3)) {
        for (const index of indicesOf(grant))
          crashes.set(index ?? -1, (crashes.get(index ?? -1) ?? 0) + 1);
        for (const { id } of only(crash(core, grant), "publish-outcome")) {
          poisoned.add(id.index);
          core.end(buildTask(id.index), OutcomeKind.FAILED);
        }
      } else core.finishAll(grant);
    }

    expect([...poisoned]).toEqual([3]);
    expect(crashes.get(3)).toBe(3);
    expect(Math.max(...[...crashes].filter(([index]) => index !== 3).map(([, n]) => n))).toBe(1);
    expect(core.countQueued()).toBe(0);
  });
});

describe("a report of an earlier leader's lease", () => {
  test("about a task that waits out a delay puts it in line once", () => {
    const core = CoreDriver.leading(3n);
    core.store(buildTask(0), buildTask(1));
    const older = { ...listed(core.takeOne("w9")), fence: 1n << 32n };
    const failure = { ...engineCrash, reason: "UPLOAD_FAILED" };
    const report = (fence: bigint, worker: string, index = 1) =>
      core.step({
        kind: "attempt-reported",
        worker: worker as never,
        leased: { ...older, index, fence },
        failure: fence === 1n << 32n ? failure : undefined,
      });
    report(1n << 32n, "w1");
    expect(core.scheduler.situationOf(idOf(1))).toBe("delayed");

    report(2n << 32n, "w2");
    core.wait(limits.handBackDelayMs);

    expect(core.scheduler.situationOf(idOf(1))).toBe("waiting");
    expect([...core.waiting().values()].reduce((sum, tasks) => sum + tasks, 0)).toBe(1);
    expect(indicesOf(core.take("w1", 8))).toEqual([1]);
  });
});
