import { limits, type PoolId, type WorkerId } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PoolHands, type PoolOrders } from "../../autoscale/pool-hands.ts";
import type { PoolDecision } from "./decision.ts";
import type { FleetMember } from "./fleet.ts";
import { noSums, type WorkerLoad } from "./pool-work.ts";
import { planScaleIn, type ScaleInWish } from "./scale-in.ts";

const pool = "default" as PoolId;

interface SomeWorker {
  readonly left?: number;
  readonly isRetiring?: boolean;
  readonly phase?: FleetMember["phase"];
  readonly isHeard?: boolean;
}

function wishOf(surplus: number, workers: Readonly<Record<string, SomeWorker>>): ScaleInWish {
  const names = Object.keys(workers) as WorkerId[];
  const heard = names.filter((name) => workers[name]?.isHeard !== false);
  const leftOf = (name: string): number => workers[name]?.left ?? 0;
  return {
    surplus,
    members: names.map((worker, place) => ({
      worker,
      phase: workers[worker]?.phase ?? "ready",
      createdAt: place,
    })),
    workers: heard.map(
      (worker): WorkerLoad => ({
        worker,
        workLeftMs: leftOf(worker),
        condition: "serving",
        isRetiring: workers[worker]?.isRetiring ?? false,
      }),
    ),
    ranked: heard.toSorted((one, other) => leftOf(one) - leftOf(other)),
    leaving: new Set(),
  };
}

const someWorkers = fc.dictionary(
  fc.stringMatching(/^[a-z][0-9]$/),
  fc.record({
    left: fc.constantFrom(0, 0, 1, 700),
    isRetiring: fc.boolean(),
    phase: fc.constantFrom("ready", "ready", "starting", "unschedulable", "crashing"),
  }),
  { maxKeys: 10 },
);

/**
 * As many as were marked: first those that are not ready, then by the mark. Of those that were not
 * ready when the plan was made each may be so by then.
 */
function takenByReplicaSet(
  { members }: ScaleInWish,
  marked: ReadonlySet<WorkerId>,
  isUp: () => boolean,
): WorkerId[] {
  const pods = members.map(({ worker, phase }) => {
    return { worker, rank: [phase === "ready" || isUp(), !marked.has(worker)].map(Number) };
  });
  const order = ([ready = 0, cost = 0]: number[]): number => 2 * ready + cost;
  const ranked = pods.toSorted((one, other) => order(one.rank) - order(other.rank));
  return ranked.slice(0, marked.size).map(({ worker }) => worker);
}

describe("who leaves", () => {
  test("idle workers, at once; busy ones only finish what they hold", () => {
    const plan = planScaleIn(wishOf(2, { a: { left: 500 }, b: {}, c: { left: 900 } }));

    expect(plan).toEqual({ retire: ["b", "a"], recall: [], leave: ["b"] });
  });

  test("a busy worker leaves once it holds nothing", () => {
    const plan = planScaleIn(wishOf(1, { a: { isRetiring: true }, b: { left: 900 } }));

    expect(plan).toEqual({ retire: [], recall: [], leave: ["a"] });
  });

  test("those that never started go first, the youngest of them before the others", () => {
    const starting = { phase: "starting", isHeard: false } as const;
    const stuck = { phase: "unschedulable", isHeard: false } as const;

    const plan = planScaleIn(wishOf(3, { a: {}, b: starting, c: starting, d: stuck }));

    expect(plan.leave).toEqual(["d", "c", "b"]);
  });

  test("one that starts and is heard already gets nothing in its last moment", () => {
    const plan = planScaleIn(wishOf(1, { a: {}, b: { phase: "starting" } }));

    expect(plan).toEqual({ retire: ["b"], recall: [], leave: ["b"] });
  });

  test("nobody while one works that is not called ready, whom a ReplicaSet takes first", () => {
    const plan = planScaleIn(wishOf(2, { a: {}, b: { phase: "starting", left: 5 }, c: {} }));

    expect(plan).toEqual({ retire: ["b", "a"], recall: [], leave: [] });
  });

  test("those that start get nothing meanwhile, even if they may stay", () => {
    const starting = { phase: "starting", isHeard: false } as const;

    const plan = planScaleIn(wishOf(1, { a: {}, b: starting, c: starting }));

    expect(plan).toEqual({ retire: ["c", "b"], recall: [], leave: ["c"] });
  });

  test("whoever a ReplicaSet takes for them holds nothing and gets nothing", () => {
    fc.assert(
      fc.property(someWorkers, fc.nat(8), fc.infiniteStream(fc.boolean()), (all, surplus, up) => {
        const wish = wishOf(surplus, all);
        const { retire, leave } = planScaleIn(wish);

        const taken = takenByReplicaSet(wish, new Set(leave), () => up.next().value === true);

        for (const worker of taken) {
          expect(all[worker]?.left ?? 0).toBe(0);
          expect(retire.includes(worker) || all[worker]?.isRetiring).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test("nobody who was never heard of, since nobody knows whether it is idle", () => {
    expect(planScaleIn(wishOf(2, { a: { isHeard: false }, b: {} })).leave).toEqual(["b"]);
  });

  test("nobody when load is back: those that were told work on", () => {
    const plan = planScaleIn(wishOf(0, { a: { isRetiring: true, left: 5 }, b: {} }));

    expect(plan).toEqual({ retire: [], recall: ["a"], leave: [] });
  });
});

describe("the hands of a pool", () => {
  const decide = (desired: number, target: number): PoolDecision => ({
    pool,
    desired,
    target,
    reason: "arrivals",
    bounds: [],
    inputs: {} as PoolDecision["inputs"],
  });

  function order(
    hands: PoolHands,
    desired: number,
    at: { target: number; workers: Readonly<Record<string, SomeWorker>>; now?: number },
  ): PoolOrders {
    const { members, workers, ranked } = wishOf(0, at.workers);
    const nothing = { pool, waiting: noSums(), arrived: noSums(), running: 0, wish: {} };
    return hands.order({
      decision: decide(desired, at.target),
      fleet: { pool, target: at.target, members },
      work: { ...nothing, workers },
      rank: () => ranked,
      now: at.now ?? 0,
    });
  }

  test("lower the target by those that hold nothing, not by all that are to go", () => {
    const workers = { a: {}, b: { left: 5 }, c: { left: 6 } };

    const { scaling } = order(new PoolHands(), 1, { target: 3, workers });

    expect(scaling).toMatchObject({ desired: 2, target: 3, victims: ["a"] });
  });

  test("give up first what was asked for and is not there yet", () => {
    const workers = { a: {}, b: {} };

    expect(order(new PoolHands(), 3, { target: 5, workers }).scaling).toMatchObject({
      desired: 3,
      victims: [],
    });
    expect(order(new PoolHands(), 1, { target: 5, workers }).scaling).toMatchObject({
      desired: 1,
      victims: ["a"],
    });
  });

  test("choose nobody twice while those that were given up are taken away", () => {
    const hands = new PoolHands();
    const workers = { a: {}, b: {}, c: {} };
    hands.applied(order(hands, 2, { target: 3, workers }).scaling, 0);

    const late = order(hands, 2, { target: 3, workers: { ...workers, a: { isRetiring: true } } });
    const done = order(hands, 2, { target: 2, workers: { ...workers, a: { isRetiring: true } } });

    for (const { scaling, retired } of [late, done]) {
      expect(scaling).toMatchObject({ desired: 2, victims: [] });
      expect(retired).toMatchObject({ retire: [], recall: [] });
    }
  });

  test("say once who of those that were given up is gone, and forget them", () => {
    const hands = new PoolHands();
    hands.applied(order(hands, 1, { target: 2, workers: { a: {}, b: {} } }).scaling, 0);
    const fleet = { pool, target: 1, members: wishOf(0, { b: {} }).members };

    expect(hands.forgetGone(fleet)).toMatchObject({ retire: [], recall: [], gone: ["a"] });
    expect(hands.forgetGone(fleet).gone).toEqual([]);
  });

  test("put one to work again in whose place another was taken, and say so", () => {
    const hands = new PoolHands();
    hands.applied(order(hands, 1, { target: 2, workers: { a: {}, b: {} } }).scaling, 0);

    const now = limits.autoscaleLeaveMs + 1;
    const workers = { a: { isRetiring: true } };
    const { missed, retired } = order(hands, 1, { target: 1, workers, now });

    expect(missed).toEqual(["a"]);
    expect(retired.recall).toContain("a");
  });

  test("leave one alone that is still to be taken, however long that takes", () => {
    const hands = new PoolHands();
    hands.applied(order(hands, 1, { target: 2, workers: { a: {}, b: {} } }).scaling, 0);

    const now = 100 * limits.autoscaleLeaveMs;
    const workers = { a: { isRetiring: true }, b: {} };

    expect(order(hands, 1, { target: 1, workers, now })).toMatchObject({
      missed: [],
      retired: { recall: [] },
    });
  });

  test("never take a worker that holds something, in 10,000 scale-ins", () => {
    const some = fc.record({ left: fc.constantFrom(0, 0, 1, 700), isRetiring: fc.boolean() });
    const workers = fc.dictionary(fc.stringMatching(/^[a-z][0-9]$/), some, { maxKeys: 12 });
    fc.assert(
      fc.property(workers, fc.nat(12), (all, desired) => {
        const { scaling } = order(new PoolHands(), desired, {
          target: Object.keys(all).length,
          workers: all,
        });
        expect(scaling.victims.filter((victim) => (all[victim]?.left ?? 0) > 0)).toEqual([]);
        expect(scaling.target - scaling.desired).toBeLessThanOrEqual(scaling.victims.length);
        expect(scaling.desired).toBeGreaterThanOrEqual(Math.min(desired, scaling.target));
      }),
      { numRuns: 10_000 },
    );
  });
});
