/** A second try beside one that takes too long: only where it is switched on and costs nobody. */
import { OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  buildTask,
  buildTasks,
  CoreDriver,
  engineCrash,
  idOf,
  listed,
  only,
  taskFault,
} from "../../testing/drive-core.ts";

const ms = 1_000;

/** Time passes until the first try has taken `ms`, with the worker alive all the while. */
function lag(core: CoreDriver, lease: ReturnType<CoreDriver["takeOne"]>, forMs: number) {
  return core.waitBeating(forMs, { w1: [listed(lease, 1)] });
}

/** A pool that speculates and knows what a task takes; w1 has one, w2 may ask. */
function started(speculateAfter = 3) {
  const core = CoreDriver.leading();
  core.poolPolicy({ speculateAfter });
  core.store(...buildTasks(20, { job: "teacher" }));
  for (let round = 0; round < 20; round += 1) core.finish("w1", core.takeOne("w1"), ms);
  core.store(buildTask(0));
  const first = core.takeOne("w1");
  core.beat("w1", [listed(first)]);
  core.beat("w2", []);
  return { core, first };
}

/** The same, with the second try begun. */
function doubled() {
  const { core, first } = started();
  lag(core, first, 4 * ms);
  core.ask("w2");
  const [grant] = only(core.wait(50), "grant");
  const [second] = grant?.leases ?? [];
  if (second === undefined) throw new RangeError("no second try");
  return { core, first, second };
}

describe("a second try", () => {
  test("is given to an idle worker once the first takes much longer than expected", () => {
    const { core, first } = started();
    lag(core, first, 2 * ms);
    core.ask("w2");
    expect(only(core.wait(50), "grant")).toEqual([]);

    const effects = lag(core, first, 3 * ms);

    expect(only(effects, "grant")).toMatchObject([
      { worker: "w2", reason: "straggler", leases: [{ spec: { index: 0 }, attempt: 1 }] },
    ]);
  });

  test.each([
    ["it is not switched on", (core: CoreDriver) => core.poolPolicy({})],
    [
      "the pool drains",
      (core: CoreDriver) => core.poolPolicy({ draining: true, speculateAfter: 3 }),
    ],
    ["the job is paused", (core: CoreDriver) => core.control({ paused: true })],
    ["anything waits", (core: CoreDriver) => core.store(...buildTasks(9, { job: "more" }))],
  ])("is not given while %s", (_, change) => {
    const { core, first } = started();
    change(core);
    const effects = [...lag(core, first, 9 * ms), ...core.ask("w2"), ...core.wait(50)];

    expect(only(effects, "grant").filter(({ reason }) => reason === "straggler")).toEqual([]);
  });

  test("is not given to the tasks of a batch, which take longer together", () => {
    const { core, first } = started();
    core.finish("w1", first, ms);
    core.store(...buildTasks(4, { job: "batch" }));
    const { leases } = core.take("w1", 8);
    core.ask("w2");

    const running = leases.map((lease) => listed(lease, 1));
    expect(only(core.waitBeating(9 * ms, { w1: running, w2: [] }), "grant")).toEqual([]);
  });

  test("is not given to a suspected task: it might take a second worker along", () => {
    const { core, first } = started();
    core.report("w1", first, engineCrash);
    const [alone] = core.askFor("w2")?.leases ?? [];
    if (alone === undefined) throw new RangeError("not granted");
    core.beat("w3", []);
    core.ask("w3");
    const effects = core.waitBeating(9 * ms, { w2: [listed(alone, 1)], w3: [] });

    expect(only(effects, "grant")).toEqual([]);
  });

  test("is not begun after the expire time", () => {
    const core = CoreDriver.leading();
    core.poolPolicy({ speculateAfter: 2 });
    core.store(buildTask(0, { expireAt: core.now + ms }));
    const first = core.takeOne("w1");
    core.ask("w2");

    expect(only(lag(core, first, 9 * ms), "grant")).toEqual([]);
  });

  test("makes no third one", () => {
    const { core, first, second } = doubled();
    core.ask("w3");
    const beats = { w1: [listed(first, 1)], w2: [listed(second, 1)], w3: [] };

    expect(only(core.waitBeating(30 * ms, beats), "grant")).toEqual([]);
  });

  test("finds stragglers on whatever worker, however many work", () => {
    const { core, first } = started();
    const beats: Record<string, ReturnType<typeof listed>[]> = { w1: [listed(first, 1)] };
    core.store(...buildTasks(60, { job: "crowd" }));
    for (let worker = 0; worker < 60; worker += 1) {
      beats[`c${worker}`] = [listed(core.takeOne(`c${worker}`), 1)];
    }
    core.waitBeating(2 * ms, beats);
    for (let index = 0; index < 60; index += 1) core.end(buildTask(index, { job: "crowd" }));
    for (const worker of Object.keys(beats)) if (worker !== "w1") beats[worker] = [];
    core.ask("w2");

    expect(only(core.waitBeating(6 * ms, beats), "grant")).toMatchObject([
      { leases: [{ spec: { job: "j", index: 0 } }] },
    ]);
  });
});

describe("two tries of one task", () => {
  test("end with the first outcome, of whichever, and the other worker is told to stop", () => {
    for (const winner of ["first", "second"] as const) {
      const tries = doubled();
      const [won, worker] = winner === "first" ? [tries.first, "w1"] : [tries.second, "w2"];

      const effects = tries.core.finish(worker, won, ms);

      expect(only(effects, "control-cancel")).toMatchObject([
        { worker: winner === "first" ? "w2" : "w1", reason: "task-ended" },
      ]);
      expect(tries.core.scheduler.situationOf(idOf(0))).toBe("ended");
    }
  });

  test("are two: the loss of one leaves the other, and is noted as a crash alone", () => {
    const { core, first, second } = doubled();

    const effects = core.waitBeating(30 * ms, { w2: [listed(second, 1)] });

    expect(only(effects, "task-released")).toMatchObject([{ worker: "w1" }]);
    expect(only(effects, "rewrite-task")).toMatchObject([
      { task: { attempts: 0, crashes: { count: 1, workers: ["w1"] } } },
    ]);
    expect(core.scheduler.situationOf(idOf(0))).toBe("leased");
    expect(only(core.report("w1", first, taskFault), "rewrite-task")).toEqual([]);
    core.finish("w2", second, ms);
    expect(core.countQueued()).toBe(0);
  });

  test("are both over when one finds what would fail everywhere", () => {
    const { core, first, second } = doubled();
    const fatal = { ...taskFault, reason: "PROMPT_TOO_LONG" };

    const effects = core.report("w2", second, fatal);

    expect(only(effects, "control-cancel")).toMatchObject([{ worker: "w1" }]);
    expect(only(effects, "publish-outcome")).toHaveLength(1);
    expect(core.scheduler.countPools()).toMatchObject([{ queued: 1, leased: 0 }]);
    expect(only(core.report("w1", first, taskFault), "publish-outcome")).toEqual([]);
    core.end(buildTask(0), OutcomeKind.FAILED);
    expect(core.scheduler.countPools()).toMatchObject([{ queued: 0, leased: 0 }]);
  });
});
