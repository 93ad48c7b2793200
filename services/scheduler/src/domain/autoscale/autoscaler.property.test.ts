import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BrainDriver, type BrainTick } from "../../../testing/drive-brain.ts";
import { type BudgetClaim, shareBudget } from "./share-budget.ts";

const someTick: fc.Arbitrary<BrainTick> = fc.record({
  waiting: fc.record({
    interactive: fc.nat(500),
    standard: fc.nat(500),
    batch: fc.nat(5_000),
  }),
  came: fc.nat(200),
  running: fc.nat(20),
  aside: fc.nat(2),
});

describe("the number of workers", () => {
  test("stays within its bounds, whatever comes", () => {
    const bounds = fc
      .tuple(fc.nat(10), fc.nat(30))
      .map(([min, more]) => ({ min, max: min + more }));
    fc.assert(
      fc.property(bounds, fc.array(someTick, { maxLength: 40 }), (goals, ticks) => {
        const brain = new BrainDriver(goals);
        for (const each of ticks) {
          const { desired } = brain.tick(each);
          expect(desired).toBeGreaterThanOrEqual(goals.min);
          expect(desired).toBeLessThanOrEqual(goals.max);
          expect(Number.isInteger(desired)).toBe(true);
        }
      }),
    );
  });

  test("is never lower for more waiting work", () => {
    const seconds = fc.nat(3_000);
    const which = fc.constantFrom("interactive", "standard", "batch");
    fc.assert(
      fc.property(fc.tuple(seconds, seconds), which, fc.nat(20), ([less, more], each, target) => {
        const plan = (amount: number): number =>
          new BrainDriver({}, target).tick({ waiting: { [each]: amount } }).desired;
        expect(plan(less + more)).toBeGreaterThanOrEqual(plan(less));
      }),
    );
  });

  test("is never lower for more arrivals", () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), fc.nat(20), (less, more, target) => {
        const plan = (came: number): number => {
          const brain = new BrainDriver({}, target);
          brain.look();
          return brain.look({ came }).desired;
        };
        expect(plan(less + more)).toBeGreaterThanOrEqual(plan(less));
      }),
    );
  });

  test("does not move at constant load, once it has settled", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(40), (perSecond, target) => {
        const brain = new BrainDriver({}, target);
        const load = { came: perSecond * 5, running: perSecond };
        brain.ticks(150, load);
        const settled = brain.ticks(200, load).map(({ desired }) => desired);
        expect(new Set(settled).size).toBe(1);
        expect(settled[0]).toBeGreaterThan(perSecond);
      }),
      { numRuns: 50 },
    );
  });

  test("comes with a reason for every change on its way", () => {
    fc.assert(
      fc.property(fc.array(someTick, { maxLength: 30 }), (ticks) => {
        const brain = new BrainDriver({ max: 20, warm: 2 });
        for (const each of ticks) {
          const { reason, bounds } = brain.tick(each);
          if (bounds.length > 0) expect(reason).toBe(bounds.at(-1));
          else expect(["arrivals", "backlog", "idle"]).toContain(reason);
        }
      }),
    );
  });
});

describe("shares of the devices", () => {
  const claim: fc.Arbitrary<BudgetClaim> = fc.record({
    desired: fc.nat(50),
    min: fc.nat(5),
    target: fc.nat(50),
    gpusPerWorker: fc.integer({ min: 1, max: 8 }),
    weight: fc.integer({ min: 1, max: 10 }),
  });
  const claims = fc.array(claim, { minLength: 1, maxLength: 6 });
  const heldBy = (all: readonly BudgetClaim[], given: readonly number[]): number =>
    all.reduce(
      (sum, { target, gpusPerWorker }, place) =>
        sum + Math.max(target, given[place] ?? 0) * gpusPerWorker,
      0,
    );

  test("never take more than there is, those that still have to go counted", () => {
    fc.assert(
      fc.property(claims, fc.nat(200), (all, gpus) => {
        const held = heldBy(
          all,
          all.map(() => 0),
        );
        const after = heldBy(all, shareBudget(all, gpus));
        expect(after).toBeLessThanOrEqual(Math.max(gpus, held));
      }),
    );
  });

  test("are no more than wanted, and all of it where there is enough", () => {
    fc.assert(
      fc.property(claims, (all) => {
        const enough = all.reduce(
          (sum, { desired, target, gpusPerWorker }) => sum + (desired + target) * gpusPerWorker,
          0,
        );
        expect(shareBudget(all, enough)).toEqual(all.map(({ desired }) => desired));
        for (const [place, given] of shareBudget(all, enough / 3).entries()) {
          expect(given).toBeLessThanOrEqual(all[place]?.desired ?? 0);
        }
      }),
    );
  });

  test("go by weight where all want more than there is", () => {
    const claims = [1, 3].map((weight) => ({
      desired: 100,
      min: 0,
      target: 0,
      gpusPerWorker: 1,
      weight,
    }));

    expect(shareBudget(claims, 40)).toEqual([10, 30]);
  });

  test("come after everybody's minimum", () => {
    const small = { desired: 5, min: 5, target: 0, gpusPerWorker: 1, weight: 1 };
    const heavy = { desired: 100, min: 0, target: 0, gpusPerWorker: 1, weight: 100 };

    expect(shareBudget([small, heavy], 20)).toEqual([5, 15]);
  });

  test("move to a pool that is owed them once others have given them up", () => {
    const full = { desired: 40, min: 0, target: 40, gpusPerWorker: 1, weight: 1 };
    const owed = { desired: 20, min: 0, target: 0, gpusPerWorker: 1, weight: 1 };

    expect(shareBudget([full, owed], 40)).toEqual([20, 0]);
    expect(shareBudget([{ ...full, target: 20 }, owed], 40)).toEqual([20, 20]);
  });
});
