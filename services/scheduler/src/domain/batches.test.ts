/** What goes into one grant: one shape, the ranks of its stacks, and no more than there is room. */
import { limits, WaitReason } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  adapter,
  buildTask,
  buildTasks,
  CoreDriver,
  indicesOf,
  only,
  shelfOf,
} from "../../testing/drive-core.ts";

describe("a batch", () => {
  test("is spread where several workers ask", () => {
    const core = CoreDriver.leading();
    core.poolPolicy({ draining: true });
    for (const worker of ["w1", "w2", "w3", "w4"]) core.ask(worker, { slots: 8 });
    core.store(...buildTasks(8));
    core.now += 1_000;

    const grants = only(core.poolPolicy({}), "grant");

    expect(grants.map(({ leases }) => leases.length)).toEqual([2, 2, 2, 2]);
  });

  test("takes tasks of several projects by turns, and so by weight", () => {
    const core = CoreDriver.leading();
    core.projectPolicy("a", { weight: 3 });
    core.store(...buildTasks(8, { project: "a" }), ...buildTasks(8, { project: "b" }));

    const projects = core.take("w1", 8).leases.map(({ spec }) => spec?.project);

    expect(projects.filter((project) => project === "a")).toHaveLength(6);
  });

  test("sums the ranks of its stacks against what the worker can take", () => {
    const core = CoreDriver.leading();
    for (const [index, digest] of ["a", "b", "c"].entries()) {
      core.store(buildTask(index, { adapters: [adapter(digest, { rank: 16 })] }));
    }

    const grant = core.askFor("w1", { slots: 8, shelf: shelfOf(["a", "b", "c"], 4, 32) });

    expect(grant?.leases).toHaveLength(2);
    expect(grant?.placements).toEqual(["warm", "warm"]);
  });

  test("counts the ranks of one stack once, however many tasks have it", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(6, { adapters: [adapter("a", { rank: 32 })] }));
    core.now += 1_000;

    const grant = core.askFor("w1", { slots: 8, shelf: shelfOf(["a"], 4, 32) });

    expect(grant?.leases).toHaveLength(6);
  });

  test("tells the same adapter with another weight from it", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [adapter("a", { rank: 32 })] }));
    core.store(buildTask(1, { adapters: [adapter("a", { rank: 32, weight: 0.5 })] }));

    const grant = core.askFor("w1", { slots: 8, shelf: shelfOf(["a"], 4, 32) });

    expect(grant?.leases).toHaveLength(1);
  });

  test("never has a stack that is too large for the worker", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [adapter("a", { rank: 64 })] }));

    expect(core.askFor("w1", { slots: 8, shelf: shelfOf(["a"], 4, 32) })).toBeUndefined();
    expect(core.explain()).toMatchObject([
      { reason: WaitReason.CAPACITY, detail: expect.stringContaining("rank 64") },
    ]);
    expect(core.askFor("w2", { slots: 8, shelf: shelfOf([], 4, 64) })?.leases).toHaveLength(1);
  });

  test("loads the adapters of its first stack alone", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [adapter("a")] }));
    core.store(buildTask(1, { adapters: [adapter("b")] }), buildTask(2));

    const grant = core.askFor("w1", { slots: 8, shelf: shelfOf([]) });

    expect(grant && indicesOf(grant)).toEqual([0, 2]);
    expect(grant?.placements).toEqual(["cold"]);
  });

  test("gives tasks with adapters to no worker that takes none", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [adapter("a")] }), buildTask(1));

    expect(indicesOf(core.take("w1", 8))).toEqual([1]);
  });
});

describe("a batch that is forming", () => {
  /** Tasks of one shape that come a millisecond apart, so that more are expected. */
  function arriving(core: CoreDriver): void {
    for (let index = 0; index < limits.batchArrivalsMin; index += 1) {
      core.now += 1;
      core.store(buildTask(index));
    }
  }

  test("holds the only worker that asks, no longer than its bound", () => {
    const core = CoreDriver.leading();
    arriving(core);
    const first = core.now - limits.batchArrivalsMin + 1;

    expect(core.askFor("w1", { slots: 8 })).toBeUndefined();
    expect(core.reasonsOf()).toMatchObject({ batch_forming: 4 });
    expect(core.scheduler.wakesAt).toBe(first + limits.batchHoldMs);
    core.now = first + limits.batchHoldMs;
    expect(only(core.step({ kind: "tick" }), "grant").map(indicesOf)).toEqual([[0, 1, 2, 3]]);
  });

  test("starts as soon as it is full", () => {
    const core = CoreDriver.leading();
    arriving(core);
    core.ask("w1", { slots: 5 });

    expect(only(core.store(buildTask(9)), "grant").map(indicesOf)).toEqual([[0, 1, 2, 3, 9]]);
  });

  test("holds nothing while a second worker asks: idle capacity needs no batches", () => {
    const core = CoreDriver.leading();
    core.ask("w1", { slots: 8 });
    core.ask("w2", { slots: 8 });
    core.now += 1;

    expect(only(core.store(buildTask(0)), "grant")).toHaveLength(1);
  });

  test("holds nothing of a shape that does not keep coming", () => {
    const core = CoreDriver.leading();
    arriving(core);
    core.now += 1_000;

    expect(core.askFor("w1", { slots: 8 })?.leases).toHaveLength(4);
  });
});
