import { FailureBlame, OutcomeKind, taskIdOf } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildFailure, buildTask, buildTasks, CoreDriver, only } from "../../testing/drive-core.ts";

const failure = buildFailure("BAD_NUMBERS", FailureBlame.TASK);
const idOf = (index: number) => taskIdOf({ project: "default", job: "j", index });

/** A leader that has granted the first of three tasks that came in one bundle. */
function bundled() {
  const core = CoreDriver.leading();
  const tasks = buildTasks(3);
  const bundle = core.storeBundle(...tasks);
  const [lease] = core.take("w1", 1).leases;
  if (lease === undefined) throw new RangeError("nothing granted");
  return { core, tasks, bundle, lease };
}

describe("the message that a task lives by", () => {
  test("a task that ends leaves its bundle, and the others stay", () => {
    const { core, tasks, bundle } = bundled();

    const effects = core.end(tasks[0] ?? buildTask(0));

    expect(only(effects, "remove-task")).toEqual([
      { kind: "remove-task", reason: "task-ended", id: idOf(0), revision: bundle },
    ]);
  });

  test("a task that failed gets its own message, and leaves the bundle once it stands", () => {
    const { core, bundle, lease } = bundled();

    const failed = core.report("w1", lease, failure);
    const [rewrite] = only(failed, "rewrite-task");
    expect(rewrite).toMatchObject({ revision: 0n, task: { attempts: 1 } });
    expect(only(failed, "remove-task")).toEqual([]);

    const written = core.step({ kind: "task-rewritten", id: idOf(0), revision: 50n });
    expect(only(written, "remove-task")).toEqual([
      { kind: "remove-task", reason: "has-own-message", id: idOf(0), revision: bundle },
    ]);
  });

  test("it leaves the bundle once, whoever tells first of its own message", () => {
    const { core, lease } = bundled();
    const [rewrite] = only(core.report("w1", lease, failure), "rewrite-task");
    const task = rewrite?.task ?? buildTask(0);
    const echo = { kind: "task-stored", task, revision: 50n, isBundled: false } as const;

    const told = core.step(echo);
    const again = [
      ...core.step({ kind: "task-rewritten", id: idOf(0), revision: 50n }),
      ...core.step(echo),
    ];

    expect(only(told, "remove-task")).toHaveLength(1);
    expect(only(again, "remove-task")).toEqual([]);
  });

  test("while its own message is not stored, the bundle holds it", () => {
    const { core, lease, tasks, bundle } = bundled();
    core.report("w1", lease, failure);

    const conflict = core.step({ kind: "task-rewritten", id: idOf(0), revision: undefined });
    const ended = core.end(tasks[0] ?? buildTask(0));

    expect(only(conflict, "remove-task")).toEqual([]);
    expect(only(ended, "remove-task")).toMatchObject([{ revision: bundle }]);
  });

  test("a later rewrite takes the place of the message before", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const own = { task: { ...buildTask(0), attempts: 1 }, isBundled: false };

    const effects = core.step({ kind: "task-stored", ...own, revision: 50n });

    expect(only(effects, "remove-task")).toMatchObject([{ reason: "rewritten", revision: 1n }]);
  });

  test("a bundle that is stored again takes nobody out of its own message", () => {
    const core = CoreDriver.leading();
    core.store({ ...buildTask(0), attempts: 2 });
    const again = { task: buildTask(0), revision: 50n, isBundled: true };

    const effects = core.step({ kind: "task-stored", ...again });

    expect(only(effects, "remove-task")).toMatchObject([
      { reason: "has-own-message", revision: 50n },
    ]);
    expect(core.take("w1", 1).leases).toMatchObject([{ attempt: 3 }]);
  });

  test("a task of a bundle that has ended leaves it when the bundle is told again", () => {
    const { core, tasks } = bundled();
    core.end(tasks[0] ?? buildTask(0));

    const again = { task: buildTask(0), revision: 50n, isBundled: true };
    const effects = core.step({ kind: "task-stored", ...again });

    expect(only(effects, "remove-task")).toMatchObject([{ reason: "ended-before", revision: 50n }]);
  });

  test("those left in an old bundle get messages of their own, others are left alone", () => {
    const { core, tasks } = bundled();
    core.end(tasks[0] ?? buildTask(0), OutcomeKind.CANCELED);
    core.store(buildTask(7));

    const effects = core.step({ kind: "bundle-outlived", ids: [0, 1, 2, 7].map(idOf) });
    const again = core.step({ kind: "bundle-outlived", ids: [1, 2].map(idOf) });

    expect(only(effects, "rewrite-task")).toMatchObject([
      { reason: "bundle-outlived", id: idOf(1), revision: 0n },
      { reason: "bundle-outlived", id: idOf(2), revision: 0n },
    ]);
    expect(only(again, "rewrite-task")).toEqual([]);
  });
});
