/** Inside a project: classes and priorities are rates, age counts, and nothing starves. */
import { limits, PriorityClass } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  buildTask,
  buildTasks,
  CoreDriver,
  indicesOf,
  type TaskOptions,
  taskFault,
} from "../../testing/drive-core.ts";

const { INTERACTIVE, STANDARD, BATCH } = PriorityClass;

/** One job of each kind, all of one project, each with a backlog. */
function store(core: CoreDriver, jobs: Record<string, TaskOptions>, count = 200): void {
  for (const [job, options] of Object.entries(jobs)) {
    core.store(...buildTasks(count, { job, ...options }));
  }
}

/** The jobs of the next tasks, one worker serving one at a time. */
function serve(core: CoreDriver, rounds: number, ms = 1_000): string[] {
  return Array.from({ length: rounds }, () => {
    const lease = core.takeOne("w1");
    core.now += ms;
    core.finish("w1", lease, ms);
    return lease.spec?.job ?? "";
  });
}

function count(jobs: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const job of jobs) counts[job] = (counts[job] ?? 0) + 1;
  return counts;
}

describe("classes that wait side by side", () => {
  test("go at their rates, 64 to 8 to 1", () => {
    const core = CoreDriver.leading();
    store(core, {
      now: { priorityClass: INTERACTIVE },
      soon: { priorityClass: STANDARD },
      once: { priorityClass: BATCH },
    });

    expect(count(serve(core, 73 * 2))).toEqual({ now: 128, soon: 16, once: 2 });
  });

  test("leave their turns to the others when they are empty", () => {
    const core = CoreDriver.leading();
    store(core, { now: { priorityClass: INTERACTIVE } }, 3);
    store(core, { once: { priorityClass: BATCH } }, 3);

    expect(count(serve(core, 6))).toEqual({ now: 3, once: 3 });
  });

  test("are standard where nothing is said", () => {
    const core = CoreDriver.leading();
    store(core, { unsaid: {}, said: { priorityClass: STANDARD, priority: 50 } });

    // One lane: first come, first served.
    expect(count(serve(core, 10))).toEqual({ unsaid: 10 });
  });
});

describe("priorities", () => {
  test("are rates: 100 gets twice what 50 gets", () => {
    const core = CoreDriver.leading();
    store(core, { high: { priority: 100 }, low: { priority: 50 } });

    expect(count(serve(core, 90))).toEqual({ high: 60, low: 30 });
  });

  test("of one project take nothing from another project", () => {
    const core = CoreDriver.leading();
    store(core, { high: { priority: 100, project: "a" }, low: { priority: 1, project: "b" } });

    expect(count(serve(core, 40))).toEqual({ high: 20, low: 20 });
  });

  test("that are changed by a control count for what waits already", () => {
    const core = CoreDriver.leading();
    store(core, { high: { priority: 50 }, low: { priority: 50 } });
    serve(core, 4);
    core.control({ job: "low", priority: 100, priorityClass: INTERACTIVE });

    expect(count(serve(core, 34))["low"]).toBeGreaterThanOrEqual(30);
  });
});

describe("one lane", () => {
  test("is first come, first served, over all jobs in it", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { job: "a" }), buildTask(0, { job: "b" }), buildTask(1, { job: "c" }));

    expect(serve(core, 3)).toEqual(["a", "b", "c"]);
  });

  test("lets a task that was tried go before those that were not", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(3));
    core.report("w1", core.takeOne("w1"), taskFault);

    expect(indicesOf(core.take("w2"))).toEqual([0]);
  });
});

describe("age", () => {
  test("doubles the rate of a lane for each period its task has waited", () => {
    const core = CoreDriver.leading();
    store(core, { old: { priorityClass: BATCH } });
    core.now += 3 * limits.ageDoubleMs;
    store(core, { fresh: { priorityClass: STANDARD } });

    // Rate 1 has doubled three times, to the 8 of the standard class.
    expect(count(serve(core, 40, 10))).toEqual({ old: 20, fresh: 20 });
  });

  test("has a bound, so that the oldest backlog cannot shut out everything else", () => {
    const core = CoreDriver.leading();
    store(core, { old: { priorityClass: INTERACTIVE, priority: 100 } });
    core.now += 1_000 * limits.ageDoubleMs;
    store(core, { fresh: { priorityClass: INTERACTIVE, priority: 100 } });

    expect(count(serve(core, 10, 10))["old"]).toBe(10);
    core.store(buildTask(0, { job: "other", priorityClass: BATCH, priority: 100 }));
    const bound = limits.interactiveRate * 2 ** limits.ageDoublingsMax;
    store(core, { old2: { priorityClass: INTERACTIVE, priority: 100 } }, bound);
    expect(serve(core, 2 * 200, 1)).toContain("other");
  });

  test("ends a wait that rates alone would make hours long", () => {
    const core = CoreDriver.leading();
    store(core, { once: { priorityClass: BATCH, priority: 1 } }, 3);
    const now = { job: "now", priorityClass: INTERACTIVE, priority: 100 };
    core.store(...buildTasks(3, now));
    serve(core, 3);
    let rounds = 0;

    for (let job = ""; job !== "once"; rounds += 1) {
      // There is always one, and it has just come.
      core.store(buildTask(3 + rounds, now));
      const lease = core.takeOne("w1");
      core.now += limits.ageDoubleMs / 100;
      core.step({ kind: "tick" });
      core.finish("w1", lease, 1_000);
      job = lease.spec?.job ?? "";
    }

    // By rates alone it would wait for 6,400 others; an hour of these rounds is 600.
    expect(rounds).toBeGreaterThan(100);
    expect(rounds).toBeLessThan(650);
  });
});
