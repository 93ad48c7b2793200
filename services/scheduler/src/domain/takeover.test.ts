import { limits, OutcomeKind } from "@zfarm/contract";
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

    expect(core.beat("w1", [listed(lease)])).toMatchObject([{ kind: "lease-adopted" }]);
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
