import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CostOf, chooseBatch, type Steppable, stretchMax } from "./choose-batch.ts";

function active(values: Partial<Steppable> = {}): Steppable {
  return { group: "g", alone: false, steps: 8, stepsLeft: 8, arrivedMs: 0, ...values };
}

/** A run costs `fixed` and so much again for every picture. */
const costs =
  (fixed: number, each: number): CostOf =>
  (_, pictures) =>
    fixed + each * pictures;

function choose(tasks: readonly Steppable[], costOf: CostOf, nowMs: number): Steppable[] {
  return chooseBatch(tasks, { costOf, fit: () => true }, nowMs);
}

describe("chooseBatch", () => {
  test("runs all of a group together where that is cheaper for each", () => {
    const tasks = [active(), active({ stepsLeft: 3 }), active({ steps: 20, stepsLeft: 20 })];

    expect(choose(tasks, costs(10, 5), 0)).toHaveLength(3);
  });

  test("runs the one with the least left by itself where a batch brings nothing", () => {
    const tasks = [active(), active({ stepsLeft: 3 }), active({ stepsLeft: 5 })];

    expect(choose(tasks, costs(0, 10), 0)).toEqual([tasks[1]]);
  });

  test("takes those with the least left where only some bring something", () => {
    const tasks = [active(), active({ stepsLeft: 3 }), active({ stepsLeft: 5 })];
    const costOf: CostOf = (_, pictures) => [10, 14, 28][pictures - 1];

    expect(choose(tasks, costOf, 0)).toEqual([tasks[1], tasks[2]]);
  });

  test("prefers the group whose first task is done sooner", () => {
    const big = active({ group: "big", stepsLeft: 2 });
    const costOf: CostOf = (group) => (group === "big" ? 100 : 10);

    expect(choose([big, active()], costOf, 0)).toEqual([expect.objectContaining(active())]);
  });

  test("lets nobody wait for more than a multiple of what it takes alone", () => {
    const long = active({ steps: 50, stepsLeft: 50 });
    const short = (): Steppable => active({ stepsLeft: 1, arrivedMs: 10 * 50 * stretchMax });
    const costOf = costs(0, 10);

    expect(choose([short(), long], costOf, 10 * 50 * stretchMax)).not.toContain(long);
    expect(choose([short(), long], costOf, 10 * 50 * stretchMax + 1)).toEqual([long]);
  });

  test("lets nobody share with a suspect", () => {
    const suspect = active({ alone: true, stepsLeft: 1 });

    expect(choose([suspect, active()], costs(10, 1), 0)).toEqual([suspect]);
    expect(choose([active({ stepsLeft: 1 }), suspect], costs(10, 1), 0)).toHaveLength(1);
  });

  test("tries what it does not know: one alone, then all", () => {
    const tasks = [active(), active(), active()];
    const oneKnown: CostOf = (_, pictures) => (pictures === 1 ? 10 : undefined);

    expect(choose(tasks, () => undefined, 0)).toHaveLength(1);
    expect(choose(tasks, oneKnown, 0)).toHaveLength(3);
  });

  test("leaves out those whose adapters do not fit beside the others, and never the first", () => {
    const tasks = [4, 4, 4, 2].map((ranks, at) => ({ ...active({ stepsLeft: 1 + at }), ranks }));
    const sumOf = (some: readonly { ranks: number }[]): number =>
      some.reduce((sum, { ranks }) => sum + ranks, 0);
    const ranksWithin = (max: number): number[] => {
      const runs = {
        costOf: costs(10, 1),
        fit: (some: readonly { ranks: number }[]) => sumOf(some) <= max,
      };
      return chooseBatch(tasks, runs, 0).map(({ ranks }) => ranks);
    };

    expect(ranksWithin(10)).toEqual([4, 4, 2]);
    expect(ranksWithin(3)).toEqual([4]);
  });

  test("a batch is never empty and never mixes groups", () => {
    const tasks = fc.array(
      fc.record({
        group: fc.constantFrom("a", "b"),
        alone: fc.boolean(),
        steps: fc.integer({ min: 1, max: 50 }),
        stepsLeft: fc.integer({ min: 1, max: 50 }),
        arrivedMs: fc.integer({ min: 0, max: 1_000 }),
      }),
      { minLength: 1, maxLength: 8 },
    );
    const known = fc.func(fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }));
    fc.assert(
      fc.property(tasks, known, (some, costOf) => {
        const batch = choose(some, costOf, 1_000);

        expect(batch.length).toBeGreaterThan(0);
        expect(new Set(batch).size).toBe(batch.length);
        expect(new Set(batch.map(({ group }) => group)).size).toBe(1);
        if (batch.length > 1) expect(batch.some(({ alone }) => alone)).toBe(false);
      }),
    );
  });
});
