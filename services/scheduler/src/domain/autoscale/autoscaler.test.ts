import { limits } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { BrainDriver } from "../../../testing/drive-brain.ts";

const perTick = 5;
const holdTicks = limits.autoscaleHoldMs / 5_000;
const coldTicks = limits.autoscaleColdStartMs / 5_000;

describe("what work needs", () => {
  test("a pool at zero gets a worker for the first task, at once", () => {
    const brain = new BrainDriver();
    expect(brain.tick().desired).toBe(0);

    expect(brain.tick({ waiting: { standard: 1 }, came: 1 })).toMatchObject({ desired: 1 });
  });

  test("steady arrivals get workers for them and some room", () => {
    const brain = new BrainDriver({}, 10);

    const decisions = brain.ticks(60, { came: 10 * perTick, running: 10 });

    const { desired, inputs } = decisions.at(-1) ?? { desired: 0, inputs: undefined };
    expect(desired).toBeGreaterThanOrEqual(11);
    expect(desired).toBeLessThanOrEqual(14);
    expect(inputs?.arrivals).toBeCloseTo(10, 0);
  });

  test("a backlog gets more workers the sooner it is wanted", () => {
    const desired = (["batch", "standard", "interactive"] as const).map((each) => {
      const brain = new BrainDriver({}, 1);
      return brain.tick({ waiting: { [each]: 1_000 } }).desired;
    });

    expect(desired).toEqual(desired.toSorted((one, other) => one - other));
    expect(new Set(desired).size).toBe(3);
  });

  test("one long task needs one worker", () => {
    const brain = new BrainDriver();
    const work = { interactive: 1 };

    expect(brain.tick({ waiting: work }).desired).toBe(1);
    expect(brain.tick({ waiting: { interactive: 0.5 }, running: 1 }).desired).toBe(1);
  });

  test("workers that start already count", () => {
    const cold = new BrainDriver({}, 0);
    const before = cold.tick({ waiting: { standard: 600 } });

    const after = cold.look({ waiting: { standard: 600 }, phases: { starting: before.desired } });

    expect(before.reason).toBe("backlog");
    expect(after.inputs.neededForBacklog).toBeLessThanOrEqual(before.inputs.neededForBacklog);
    expect(after.desired).toBe(before.desired);
  });

  test("a job of many tasks is a backlog and no rate", () => {
    const brain = new BrainDriver({}, 0);

    const { inputs } = brain.tick({ waiting: { batch: 1_500 }, came: 0 });

    expect(inputs.neededForArrivals).toBe(0);
    expect(inputs.neededForBacklog).toBeGreaterThan(0);
  });
});

describe("going down", () => {
  test("waits until what was wanted lately is old", () => {
    const brain = new BrainDriver({ min: 1 });
    const load = { came: 10 * perTick, running: 10 };
    const high = brain.ticks(100, load).at(-1)?.desired ?? 0;
    expect(high).toBeGreaterThan(10);

    const held = brain.ticks(holdTicks - 1);
    expect(held.every(({ desired }) => desired === high)).toBe(true);
    expect(held.at(-1)?.reason).toBe("hold");
    expect(brain.ticks(50).at(-1)?.desired).toBeLessThan(high);
  });

  test("lets workers go for a backlog as long as starting them took", () => {
    const brain = new BrainDriver({ min: 1 });
    const high = brain.tick({ waiting: { interactive: 300 }, running: 1 }).desired;

    expect(brain.ticks(coldTicks - 1).every(({ desired }) => desired === high)).toBe(true);
    expect(brain.ticks(50).at(-1)?.desired).toBe(1);
  });

  test("comes in steps of at most three in ten", () => {
    const brain = new BrainDriver({ idleToZeroMs: 1_000 }, 20);
    const seen = [brain.target, ...brain.ticks(200).map(({ desired }) => desired)];

    for (const [place, desired] of seen.entries()) {
      const before = seen[place - 1] ?? desired;
      if (desired < before) expect(before - desired).toBeLessThanOrEqual(Math.max(1, before * 0.3));
    }
    expect(seen.at(-1)).toBe(0);
  });

  test("takes no longer than the pool's own hold: steps and panics neither", () => {
    const goals = { min: 1, holdMs: 0 };
    const calm = new BrainDriver(goals, 20);
    const last = calm.ticks(2 * coldTicks + 3).slice(-3);
    const upset = new BrainDriver(goals, 4);
    upset.ticks(2 * coldTicks + 1, { running: 1 });
    upset.look({ came: 100 });

    expect(new Set(last.map(({ desired }) => desired)).size).toBe(3);
    expect(upset.look({}).bounds).not.toContain("panic");
  });

  test("does not happen in a panic", () => {
    const brain = new BrainDriver({}, 4);
    brain.ticks(holdTicks * 3, { running: 1 });
    brain.target = 4;

    brain.look({ came: 100 });

    expect(brain.look({}).desired).toBeGreaterThanOrEqual(4);
  });

  test("begins anew with a new leader: it cannot know what was wanted before", () => {
    const brain = new BrainDriver({}, 12);

    expect(brain.tick()).toMatchObject({ desired: 12, reason: "hold" });
  });
});

describe("zero", () => {
  test("comes only after the pool had no work for long enough", () => {
    const brain = new BrainDriver({ idleToZeroMs: 400_000 }, 1);
    brain.tick({ running: 1 });

    const decisions = brain.ticks(120);

    const first = decisions.findIndex(({ desired }) => desired === 0);
    expect(first).toBe(400_000 / 5_000 - 1);
    expect(decisions[first]?.reason).toBe("idle");
  });

  test("is never reached by a pool with a minimum", () => {
    const brain = new BrainDriver({ min: 2, idleToZeroMs: 0 }, 5);

    expect(brain.ticks(200).at(-1)).toMatchObject({ desired: 2, reason: "min" });
  });

  test("keeps some warm as long as the pool is in use", () => {
    const brain = new BrainDriver({ warm: 3 }, 3);

    expect(brain.tick({ came: 1 })).toMatchObject({ desired: 3 });
    expect(brain.ticks(100).at(-1)).toMatchObject({ desired: 3, reason: "warm_floor" });
    expect(brain.ticks(60).at(-1)).toMatchObject({ desired: 0, reason: "idle" });
  });
});

describe("bounds and guards", () => {
  const flood = { waiting: { interactive: 100_000 }, running: 1 };

  test("operators' wishes come before the file", () => {
    const brain = new BrainDriver({ max: 50 }, 1);

    expect(brain.tick({ ...flood, wish: { workersMax: 7 } })).toMatchObject({
      desired: 7,
      reason: "max",
    });
    expect(brain.tick({ wish: { workersMin: 9 } })).toMatchObject({ desired: 9, reason: "min" });
    expect(brain.tick({ ...flood, wish: { isPaused: true } })).toMatchObject({
      desired: 9,
      reason: "paused",
    });
  });

  test("workers that stand aside are replaced", () => {
    const brain = new BrainDriver({}, 5);

    const without = brain.look({ ...flood, waiting: { interactive: 40 } });
    const beside = brain.look({ ...flood, waiting: { interactive: 40 }, aside: 2 });

    expect(beside.inputs.aside).toBe(2);
    expect(beside.desired).toBeGreaterThanOrEqual(without.desired + 2);
  });

  test("nothing more is asked for while nothing can take what was", () => {
    const brain = new BrainDriver({}, 4);
    const stuck = { ...flood, phases: { unschedulable: 2 } };
    brain.look(stuck);
    const ticks = limits.autoscaleUnschedulableMs / 5_000;
    for (let tick = 0; tick < ticks; tick += 1) brain.look(stuck);

    expect(brain.look(stuck)).toMatchObject({ desired: 4, reason: "unschedulable" });
    expect(brain.look(flood).desired).toBeGreaterThan(4);
  });

  test("workers that fail to start again and again stop further ones, ever longer", () => {
    const brain = new BrainDriver({}, 4);
    const crashing = { ...flood, phases: { crashing: 3 } };

    expect(brain.look(crashing)).toMatchObject({ desired: 4, reason: "crash_loop" });

    const frozen: boolean[] = [];
    for (let tick = 0; tick < 60; tick += 1) {
      frozen.push(brain.look(crashing).reason === "crash_loop");
    }
    expect(frozen.every(Boolean)).toBe(true);
    const healed: boolean[] = [];
    for (let tick = 0; tick < 60; tick += 1) healed.push(brain.look(flood).desired > 4);
    expect(healed.at(-1)).toBe(true);
  });

  test("one that does not come up is replaced, as if it stood aside", () => {
    const brain = new BrainDriver({ min: 1 }, 3);
    const work = { came: 3 * perTick, running: 2 };
    brain.ticks(100, work);
    const before = brain.target;

    expect(brain.look({ ...work, phases: { crashing: 1 } }).desired).toBe(before + 1);
  });

  test("workers that go on failing do not become more with time", () => {
    const brain = new BrainDriver({ max: 50 }, 2);
    const work = { waiting: { interactive: 1 } };

    for (let tick = 0; tick < 720; tick += 1) {
      brain.tick({ ...work, phases: { crashing: brain.target } });
    }

    expect(brain.target).toBeLessThanOrEqual(8);
  });

  test("nothing changes while nobody can see the workers", () => {
    const brain = new BrainDriver({}, 4);
    brain.look({});
    const blind = { ...flood, isSeen: false };
    for (let tick = 0; tick < limits.autoscaleStaleTicks; tick += 1) {
      expect(brain.look(blind).reason).not.toBe("stale");
    }

    expect(brain.look(blind)).toMatchObject({ desired: 4, target: 4, reason: "stale" });
  });
});
