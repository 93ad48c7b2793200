import { limits, type PoolId, PriorityClass, type WorkerId, WorkerState } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  buildTask,
  buildTasks,
  CoreDriver,
  only,
  type TaskOptions,
} from "../../testing/drive-core.ts";

const pool = "default" as PoolId;
const [w1, w2] = ["w1", "w2"] as WorkerId[] as [WorkerId, WorkerId];

/** Of what is waiting a fresh pool predicts by pixels and steps: 64 x 64 x 4 is 1.6 ms. */
const taskMs = ((64 * 64 * 4) / 1e6) * limits.costMsPerMegapixelStep;

function waitingOf(core: CoreDriver) {
  return core.scheduler.measureWork(pool).waiting;
}

describe("the work of a pool", () => {
  test("is the predicted device time of what waits, by class", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(3));
    core.store(buildTask(0, { job: "fast", priorityClass: PriorityClass.INTERACTIVE, steps: 8 }));

    const { interactive, standard, batch } = waitingOf(core);

    expect(standard.tasks).toBe(3);
    expect(standard.ms).toBeCloseTo(3 * taskMs);
    expect(interactive.ms).toBeCloseTo(2 * taskMs);
    expect(batch).toEqual({ tasks: 0, ms: 0 });
  });

  test("follows what is learnt about shapes that wait already", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(5));

    core.finish("w1", core.takeOne("w1"), 4_000);

    expect(waitingOf(core).standard).toMatchObject({ tasks: 4, ms: expect.closeTo(16_000, 0) });
  });

  test("leaves out what no worker could start", () => {
    const core = CoreDriver.leading();
    core.control({ job: "held", paused: true });
    core.store(...buildTasks(5, { job: "held" }));
    core.projectPolicy("bounded", { burstTasks: 2 });
    core.store(...buildTasks(10, { project: "bounded" }));

    expect(waitingOf(core).standard.tasks).toBe(2);

    core.takeOne("w1");
    expect(waitingOf(core).standard.tasks).toBeCloseTo(1);
  });

  test("counts no more tasks of a job than it may run at once", () => {
    const core = CoreDriver.leading();
    core.control({ maxConcurrency: 3 });
    core.store(...buildTasks(20));

    expect(waitingOf(core).standard.tasks).toBe(3);

    const lease = core.takeOne("w1");
    expect(waitingOf(core).standard.tasks).toBe(2);
    core.finish("w1", lease, 2);
    expect(waitingOf(core).standard.tasks).toBe(3);
  });

  test("grows by what comes, except for the rest of a large job", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(200));
    core.store(buildTask(0, { job: "single" }));

    const { standard } = core.scheduler.measureWork(pool).arrived;

    expect(standard.tasks).toBe(limits.autoscaleBulkTasks + 1);
  });

  test("is never below zero and empties with the farm, whatever happens", () => {
    const what = fc.constantFrom("store", "take", "finish", "end", "pause", "resume", "bound");
    fc.assert(
      fc.property(fc.array(fc.tuple(what, fc.nat(7)), { maxLength: 60 }), (steps) => {
        const core = CoreDriver.leading();
        const stored = new Map<number, ReturnType<typeof buildTask>>();
        const leases = [];
        for (const [kind, place] of steps) {
          const options: TaskOptions = { steps: 4 + (place % 2) };
          if (kind === "store" && !stored.has(place)) {
            stored.set(place, buildTask(place, options));
            core.store(buildTask(place, options));
          } else if (kind === "take") leases.push(...(core.askFor("w1")?.leases ?? []));
          else if (kind === "finish") {
            for (const lease of leases.splice(0)) core.finish("w1", lease, 5);
          } else if (kind === "end" && stored.has(place)) core.end(buildTask(place, options));
          else if (kind === "pause") core.control({ paused: true });
          else if (kind === "resume") core.control({ paused: false });
          else if (kind === "bound") core.control({ maxConcurrency: place });
          const { standard } = waitingOf(core);
          expect(standard.tasks).toBeGreaterThanOrEqual(0);
          expect(standard.ms).toBeGreaterThanOrEqual(0);
        }
        for (const task of stored.values()) core.end(task);
        expect(waitingOf(core).standard).toEqual({ tasks: 0, ms: 0 });
      }),
      { numRuns: 200 },
    );
  });
});

describe("the workers of a pool", () => {
  test("are shown with what they hold and whether they serve", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.takeOne("w1");
    core.beat("w1", []);
    core.beat("w2", [], WorkerState.STARTING);
    core.workerPolicy("w3", { draining: true });
    core.beat("w3", []);

    const workers = core.scheduler.measureWork(pool).workers;

    expect(workers).toMatchObject([
      { worker: "w1", condition: "serving", isRetiring: false },
      { worker: "w2", condition: "starting", workLeftMs: 0 },
      { worker: "w3", condition: "aside", isRetiring: false },
    ]);
    expect(workers[0]?.workLeftMs).toBeGreaterThan(0);
  });
});

describe("a worker that the autoscaler takes away", () => {
  const nobody = { kind: "workers-retired", pool, retire: [], recall: [], gone: [] } as const;
  const retire = (...workers: WorkerId[]) => ({ ...nobody, retire: workers });
  const recall = (...workers: WorkerId[]) => ({ ...nobody, recall: workers });
  const bury = (...workers: WorkerId[]) => ({ ...nobody, gone: workers });

  test("gets nothing from that moment on, and is told to drain until it does", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    core.ask("w1");

    expect(only(core.step(retire(w1)), "control-drain")).toMatchObject([{ reason: "scaling" }]);

    expect(only(core.store(buildTask(0)), "grant")).toEqual([]);
    expect(only(core.beat("w1", []), "control-drain")).toHaveLength(1);
    expect(only(core.beat("w1", [], WorkerState.DRAINING), "control-drain")).toEqual([]);
    expect(core.scheduler.measureWork(pool).workers).toMatchObject([{ isRetiring: true }]);
  });

  test("works on when it is called back, with the request it still has", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    core.ask("w1");
    core.step(retire(w1));
    core.store(buildTask(0));
    core.beat("w1", [], WorkerState.DRAINING);
    core.ask("w1");

    const effects = core.step(recall(w1));

    expect(only(effects, "control-resume")).toMatchObject([{ reason: "scaling" }]);
    expect(only(effects, "grant")).toHaveLength(1);
  });

  test("gets nothing either when it is heard of only afterwards", () => {
    const core = CoreDriver.leading();
    core.step(retire(w2));
    core.store(buildTask(0));

    expect(core.askFor("w2")).toBeUndefined();
  });

  test("stays drained where an operator wants that too", () => {
    const core = CoreDriver.leading();
    core.workerPolicy("w1", { draining: true });
    core.beat("w1", [], WorkerState.DRAINING);
    core.step(retire(w1));

    expect(only(core.step(recall(w1)), "control-resume")).toEqual([]);
    expect(only(core.beat("w1", [], WorkerState.DRAINING), "control-resume")).toEqual([]);
  });

  test("is known to the next leader by its own words, if no operator drained it", () => {
    const core = CoreDriver.leading(2n);
    core.beat("w1", [], WorkerState.DRAINING);

    expect(core.scheduler.measureWork(pool).workers).toMatchObject([{ isRetiring: true }]);
    expect(only(core.step(recall(w1)), "control-resume")).toHaveLength(1);
  });

  test("is no worker any more once it is gone, and is told nothing", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    core.beat("w2", []);
    core.step(retire(w1));
    core.beat("w1", [], WorkerState.DRAINING);

    const effects = core.step(bury(w1));

    expect(effects).toEqual([]);
    expect(core.scheduler.measureWork(pool).workers).toMatchObject([{ worker: "w2" }]);
  });

  test("is waited for as others are where it is gone with a task in its hands", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.takeOne("w1");
    core.step(retire(w1));

    core.step(bury(w1));

    expect(core.scheduler.measureWork(pool).workers).toMatchObject([{ worker: "w1" }]);
    expect(only(core.wait(limits.leaseMs + limits.beatMs), "task-released")).toHaveLength(1);
  });

  test("is not told to work where it is heard once more on its way out", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    core.step(retire(w1));
    core.step(bury(w1));

    expect(only(core.beat("w1", [], WorkerState.DRAINING), "control-resume")).toEqual([]);
    expect(core.scheduler.measureWork(pool).workers).toMatchObject([{ isRetiring: true }]);
  });
});
