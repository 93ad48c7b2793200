/** Locks, and quarantines that operators give: who gets nothing new, what it keeps, until when. */
import {
  ListWorkersResponse,
  limits,
  type PoolId,
  type WorkerId,
  type WorkerPolicy,
  WorkerState,
} from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver, idOf, listed, only } from "../../testing/drive-core.ts";

const lock = { reason: "fan is loud", lockTime: new Date(1_000) };
const pool = "default" as PoolId;

function stateOf(core: CoreDriver, worker: string): WorkerState | undefined {
  return core.scheduler.listWorkers("").find(({ name }) => name === `workers/${worker}`)?.state;
}

describe("a locked worker", () => {
  test("keeps what it runs, is told nothing, and gets nothing new until it is unlocked", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(2));
    const lease = core.takeOne("w1");

    expect(core.workerPolicy("w1", { lock })).toEqual([]);
    expect(core.beat("w1", [listed(lease)])).toEqual([]);
    expect(core.ask("w1", { running: [listed(lease)] })).toEqual([]);
    expect(core.scheduler.lookAtWorker("w1" as WorkerId)).toMatchObject({
      worker: { state: WorkerState.LOCKED, lock },
      tasks: [{ name: "projects/default/jobs/j/tasks/0", attempt: 1, step: 0 }],
    });
    expect(core.reasonsOf()).toEqual({ draining: 1 });
    expect(core.explain()[0]).toMatchObject({ detail: expect.stringContaining("1 are locked") });

    expect(only(core.workerPolicy("w1", {}), "grant")).toHaveLength(1);
  });

  test("stays: nobody names it as the one to take away", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2"]) core.beat(worker, []);
    core.workerPolicy("w1", { lock });

    const victims = core.scheduler.nameVictims(pool, 2).map(({ worker }) => worker);

    expect(victims).toEqual(["workers/w2"]);
    const load = core.scheduler.measureWork(pool).workers.find(({ worker }) => worker === "w1");
    expect(load).toMatchObject({ condition: "aside", isRetiring: false });
  });

  test("is locked for the next leader too, before it grants anything", () => {
    const core = new CoreDriver(2n);
    core.workerPolicy("w1", { lock });
    core.store(buildTask(0));
    core.step({ kind: "rebuilt" });
    core.wait(limits.takeoverGraceMs);
    core.beat("w1", []);

    expect(core.ask("w1")).toEqual([]);
    expect(stateOf(core, "w1")).toBe(WorkerState.LOCKED);
  });

  test("leaves work to the others", () => {
    const core = CoreDriver.leading();
    core.workerPolicy("w1", { lock });
    core.ask("w1");
    core.store(buildTask(0));

    expect(core.askFor("w2")?.leases).toHaveLength(1);
  });
});

describe("a worker that an operator put aside", () => {
  const aside = (endTime?: Date): Partial<WorkerPolicy> => ({
    quarantine: { reason: "stripes", endTime },
  });

  test("is served again when its time is over, and says until then who put it aside", () => {
    const core = CoreDriver.leading();
    const until = new Date(core.now + 4_000);
    core.beat("w1", []);
    core.workerPolicy("w1", aside(until));
    core.ask("w1");
    core.store(buildTask(0));

    const [worker] = core.scheduler.listWorkers("");
    expect(worker).toMatchObject({
      state: WorkerState.QUARANTINED,
      quarantine: { cause: "OPERATOR", endTime: until, note: "stripes" },
    });
    expect(core.reasonsOf()).toEqual({ quarantined: 1 });
    expect(core.explain()[0]?.release).toBe("ForgiveWorker, or 4 s");
    core.waitBeating(3_000, { w1: [] });
    expect(core.scheduler.situationOf(idOf(0))).toBe("waiting");
    core.waitBeating(2_000, { w1: [] });
    expect(core.scheduler.situationOf(idOf(0))).toBe("leased");
  });

  test("without an end is served when it is forgiven, and no start is promised before", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    core.workerPolicy("w1", aside());
    core.ask("w1");
    core.store(buildTask(0));

    expect(core.explain()[0]).toMatchObject({ release: "ForgiveWorker" });
    expect(core.explain()[0]?.earliestStartTime).toBeUndefined();
    const effects = core.workerPolicy("w1", { forgiveTime: new Date(core.now) });

    expect(only(effects, "grant")).toMatchObject([{ worker: "w1" }]);
  });

  test("may be alone: the operator knows better than half of a pool", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);

    core.workerPolicy("w1", aside());

    expect(stateOf(core, "w1")).toBe(WorkerState.QUARANTINED);
  });

  test("whose time was over before this leader began is free", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);

    core.workerPolicy("w1", aside(new Date(core.now - 1)));

    expect(stateOf(core, "w1")).toBe(WorkerState.READY);
  });
});

describe("a page of workers", () => {
  test("holds those of the pool and the state that are asked for, by name", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w3", "w1", "w2"]) core.beat(worker, []);
    core.workerPolicy("w2", { lock });
    const page = (query: object) =>
      core.scheduler.pageOfWorkers({ pool: "default", after: "", size: 2, ...query });
    const names = (query: object) => page(query).workers.map(({ name }) => name);

    expect(names({})).toEqual(["workers/w1", "workers/w2"]);
    expect(page({}).hasMore).toBe(true);
    expect(names({ after: "workers/w2" })).toEqual(["workers/w3"]);
    expect(names({ state: WorkerState.LOCKED })).toEqual(["workers/w2"]);
    expect(names({ state: WorkerState.READY })).toEqual(["workers/w1", "workers/w3"]);
    expect(names({ pool: "other" })).toEqual([]);
  });
});

test("a page of workers with long reasons ends before it outgrows a message", () => {
  const core = CoreDriver.leading();
  const reason = "\u{20AC}".repeat(limits.fleetReasonCharsMax);
  const names = Array.from({ length: 900 }, (_, index) => `w${1_000 + index}`);
  for (const name of names) {
    core.beat(name, []);
    core.workerPolicy(name, { lock: { reason, lockTime: new Date(1) }, quarantine: { reason } });
  }

  const page = (after: string) =>
    core.scheduler.pageOfWorkers({ pool: "", after, size: limits.pageSizeMax });
  const first = page("");
  const seen = [...first.workers];
  for (let more = first.hasMore; more; ) {
    const next = page(seen.at(-1)?.name ?? "");
    seen.push(...next.workers);
    more = next.hasMore;
  }

  const { length } = ListWorkersResponse.encode({ workers: first.workers }).finish();
  expect(length).toBeLessThan(limits.messageBytesMax);
  expect(first.hasMore).toBe(true);
  expect(seen.map(({ name }) => name)).toEqual(names.map((name) => `workers/${name}`));
});

test("what operators want of the autoscaler reaches it, and a drain holds it still", () => {
  const core = CoreDriver.leading();
  core.poolPolicy({ scaling: { workersMin: 1, workersMax: 4, paused: false } });
  const wish = { workersMin: 1, workersMax: 4 };

  expect(core.scheduler.measureWork(pool).wish).toEqual({ ...wish, isPaused: false });
  core.poolPolicy({ scaling: { ...wish, paused: false }, draining: true });
  expect(core.scheduler.measureWork(pool).wish).toEqual({ ...wish, isPaused: true });
});
