import {
  defaultProject,
  type JobId,
  type LeasedTask,
  limits,
  OutcomeKind,
  WaitReason,
} from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver, listed, only, taskFault } from "../../testing/drive-core.ts";

/** A second leader that found one task alive, and the lease that the first leader gave out. */
function takeOver() {
  const first = CoreDriver.leading(1n);
  first.store(buildTask(0));
  const lease = first.takeOne("w1");
  const core = new CoreDriver(2n);
  core.store(buildTask(0));
  core.step({ kind: "rebuilt" });
  return { core, lease };
}

describe("a new leader", () => {
  test("grants nothing before its index is complete", () => {
    const core = new CoreDriver();
    core.store(buildTask(0));

    expect(core.ask("w1")).toEqual([]);
    expect(only(core.wait(limits.takeoverGraceMs), "grant")).toEqual([]);
  });

  test("grants at once on an empty farm", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));

    expect(core.take("w1").leases).toHaveLength(1);
  });

  test("listens before it grants tasks that it found alive", () => {
    const { core } = takeOver();
    expect(core.ask("w2")).toEqual([]);

    expect(only(core.wait(limits.takeoverGraceMs), "grant")).toMatchObject([{ worker: "w2" }]);
  });

  test("adopts the leases that workers list", () => {
    const { core, lease } = takeOver();
    core.ask("w2");

    expect(only(core.beat("w1", [listed(lease)]), "lease-adopted")).toHaveLength(1);
    expect(only(core.wait(limits.takeoverGraceMs), "grant")).toEqual([]);
  });

  test("charges a failure that is reported before any heartbeat", () => {
    const { core, lease } = takeOver();

    expect(only(core.report("w1", lease, taskFault), "rewrite-task")).toMatchObject([
      { task: { attempts: 1 } },
    ]);
  });

  test("does not adopt a lease that its worker handed back", () => {
    const { core, lease } = takeOver();
    core.report("w1", lease);

    expect(only(core.beat("w1", [listed(lease)]), "lease-adopted")).toEqual([]);
  });

  test("prefers the newer of two leases of one task and stops the older one", () => {
    const { core, lease } = takeOver();
    core.beat("w1", [listed(lease)]);

    const effects = core.beat("w2", [{ ...listed(lease), fence: lease.fence + 1n }]);

    expect(only(effects, "control-cancel")).toMatchObject([{ worker: "w1" }]);
    expect(only(effects, "lease-adopted")).toMatchObject([{ worker: "w2" }]);
  });

  test("tries tasks first that had been tried before", () => {
    const core = new CoreDriver(2n);
    core.store(buildTask(0), buildTask(1, { attempts: 1 }));
    core.step({ kind: "rebuilt" });
    core.wait(limits.takeoverGraceMs);

    expect(core.takeOne("w1")).toMatchObject({ spec: { index: 1 }, attempt: 2 });
  });

  test("accepts the outcome of a lease that it never knew", () => {
    const { core, lease } = takeOver();

    const effects = core.end(buildTask(0), OutcomeKind.SUCCEEDED, lease.fence);

    expect(effects).toMatchObject([{ kind: "remove-task", revision: 1n }]);
  });
});

describe("a leader and workers that may still ask an earlier one", () => {
  test("makes itself known to each at its first heartbeat, once", () => {
    const core = CoreDriver.leading(2n);

    expect(only(core.beat("w1", []), "announce-leader")).toMatchObject([{ worker: "w1" }]);
    expect(core.beat("w1", [])).toEqual([]);
  });

  test("waits with that until it can be asked", () => {
    const core = new CoreDriver(2n);
    core.step({ kind: "listening" });

    expect(core.beat("w1", [])).toEqual([]);
    expect(core.step({ kind: "rebuilt" })).toMatchObject([
      { kind: "announce-leader", worker: "w1" },
    ]);
  });

  test("grants nothing to the request that its announcement makes a worker give up", () => {
    const core = CoreDriver.leading(2n);
    core.store(buildTask(0));
    core.beat("w1", []);

    expect(core.ask("w1", { epochSeen: 1n })).toMatchObject([
      { kind: "answer-empty", reason: "asked-anew" },
    ]);
    expect(core.take("w1").leases).toHaveLength(1);
  });

  test("announces nothing to a worker whose request it has", () => {
    const core = CoreDriver.leading(2n);
    core.ask("w1", { epochSeen: 0n });

    expect(core.beat("w1", [])).toEqual([]);
    expect(only(core.store(buildTask(0)), "grant")).toMatchObject([{ worker: "w1" }]);
  });
});

describe("the end of a lease of leadership", () => {
  const reasonOf = (core: CoreDriver) =>
    core.scheduler.explain({ project: defaultProject, job: "j" as JobId })[0]?.reason;

  test("is no time for grants: the next leader must be able to hear of them first", () => {
    const core = CoreDriver.leading();
    core.step({ kind: "lease-renewed", grantsUntil: core.now + 100 });
    core.ask("w1");
    core.wait(100);

    expect(only(core.store(buildTask(0)), "grant")).toEqual([]);
    expect(reasonOf(core)).toBe(WaitReason.LEADER_CHANGE);
    const renewed = core.step({ kind: "lease-renewed", grantsUntil: core.now + 100 });
    expect(only(renewed, "grant")).toMatchObject([{ worker: "w1" }]);
  });
});

describe("a rebuild", () => {
  /** A second leader that hears heartbeats while it rebuilds, for `rebuildMs`. */
  function rebuildFor(rebuildMs: number, running: readonly LeasedTask[]) {
    const core = new CoreDriver(2n);
    core.step({ kind: "listening" });
    core.beat("w1", running);
    core.wait(rebuildMs);
    core.store(buildTask(0), buildTask(1));
    return { core, effects: core.step({ kind: "rebuilt" }) };
  }

  test("takes no time from the grace that follows it", () => {
    const { core } = rebuildFor(limits.takeoverGraceMs - 1, []);
    core.ask("w2");

    expect(only(core.wait(1), "grant")).toMatchObject([{ worker: "w2" }]);
  });

  test("keeps the leases that workers listed meanwhile", () => {
    const { lease } = takeOver();
    const { core, effects } = rebuildFor(limits.takeoverGraceMs, [listed(lease)]);

    expect(only(effects, "lease-adopted")).toMatchObject([{ worker: "w1", fence: lease.fence }]);
    expect(core.takeOne("w2")).toMatchObject({ spec: { index: 1 } });
  });

  const gone = { ...listed(takeOver().lease), index: 9 };

  test("tells a worker to stop what it knows to have ended", () => {
    const core = new CoreDriver(2n);
    core.step({ kind: "listening" });
    core.end(buildTask(9));
    core.step({ kind: "rebuilt" });

    const effects = core.beat("w1", [gone]);

    expect(only(effects, "control-cancel")).toMatchObject([{ worker: "w1", leased: gone }]);
  });

  test("stops what it does not know only after its grace: the message may be on its way", () => {
    const { core, effects } = rebuildFor(0, [gone]);
    const early = core.beat("w1", [gone]);
    core.wait(limits.takeoverGraceMs);

    expect(only([...effects, ...early], "control-cancel")).toEqual([]);
    expect(only(core.beat("w1", [gone]), "control-cancel")).toMatchObject([{ leased: gone }]);
  });
});
