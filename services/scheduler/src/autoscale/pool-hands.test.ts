import { defaultPool, type WorkerId } from "@zfarm/contract";
import { beforeEach, describe, expect, test } from "vitest";
import { CoreDriver } from "../../testing/drive-core.ts";
import type { PoolDecision } from "../domain/autoscale/decision.ts";
import type { ScalingResult } from "./actuator.ts";
import { PoolHands, type PoolOrders } from "./pool-hands.ts";

const workers = ["w0", "w1", "w2", "w3"] as WorkerId[];

describe("workers that were given up", () => {
  let core: CoreDriver;
  let hands: PoolHands;

  beforeEach(() => {
    core = CoreDriver.leading();
    hands = new PoolHands();
    for (const worker of workers) core.beat(worker, []);
  });

  /** One tick, with all of the workers still there. */
  const order = (
    desired: number,
    target = workers.length,
    result: ScalingResult = "applied",
  ): PoolOrders => {
    const members = workers.map((worker) => ({ worker, phase: "ready" as const, createdAt: 0 }));
    const orders = hands.order({
      decision: { pool: defaultPool, desired, reason: "arrivals" } as PoolDecision,
      fleet: { pool: defaultPool, target, members },
      work: core.scheduler.measureWork(defaultPool),
      rank: () => core.scheduler.rankVictims(defaultPool, 4).map(({ candidate }) => candidate.id),
      now: core.now,
    });
    core.step(orders.retired);
    if (result === "applied") hands.applied(orders.scaling, core.now);
    return orders;
  };

  test("work on when they are wanted again before the hands have acted", () => {
    const { victims } = order(0).scaling;
    expect(victims.length).toBe(4);

    const { scaling } = order(4);

    expect(scaling).toMatchObject({ desired: 4, victims: [] });
    expect(scaling.spared?.toSorted()).toEqual(workers);
    const next = order(4);
    expect(next.retired.recall.toSorted()).toEqual(workers);
    expect(next.scaling).toMatchObject({ desired: 4, victims: [], spared: [] });
  });

  test("work on as many of them as are wanted again, those that were given up last", () => {
    const { victims } = order(1).scaling;

    const { scaling } = order(2);

    expect(scaling).toMatchObject({ desired: 2, victims: [], spared: victims.slice(-1) });
    expect(order(2).retired).toMatchObject({ retire: [], recall: victims.slice(-1) });
    expect(order(2).retired).toMatchObject({ retire: [], recall: [] });
  });

  test("are told nothing where the hands did not take it", () => {
    order(0);
    order(4, workers.length, "conflict");

    const { retired, scaling } = order(0);

    expect(retired.recall).toEqual([]);
    expect(scaling).toMatchObject({ desired: 0, victims: [], spared: [] });
  });

  test("go where the target was lowered for them, whatever is wanted then", () => {
    order(1);
    order(1, 1);

    const { retired, scaling } = order(4, 1);

    expect(retired.recall).toEqual([]);
    expect(scaling).toMatchObject({ desired: 4, victims: [], spared: [] });
    expect(order(4, 4).retired.recall).toEqual([]);
  });
});
