/**
 * A bulk job on a farm that scales itself: 200 workers here, a thousand by
 * `npm run bench:kubernetes`.
 */
import { findServerForTests, hasControlPlaneForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MirroredFarm, openMirroredFarm } from "./mirrored-farm.ts";
import { runScaleRound, type ScaleResult } from "./scale-round.ts";

const workers = 200;
const round = { workers, tasksPerWorker: 4, withinMs: 90_000 };
const canRun = (await hasControlPlaneForTests()) && (await findServerForTests()) !== undefined;

describe.runIf(canRun)("a farm that grows to hundreds of workers and back to none", () => {
  let on: MirroredFarm;
  let result: ScaleResult;

  beforeAll(async () => {
    on = await openMirroredFarm({ workersMax: workers, msPerStep: 200 });
    result = await runScaleRound(on, round);
  }, 200_000);

  afterAll(async () => on?.stop());

  test("ends every task with a picture, and none of them twice", () => {
    const { tasks, drawn, outcomes } = result;

    expect(tasks).toBe(workers * round.tasksPerWorker);
    expect({ drawn, outcomes }).toEqual({ drawn: tasks, outcomes: tasks });
  });

  test("has as many workers as its budget of devices allows, and never more", () => {
    expect(result.pods.podsMost).toBe(workers);
  });

  test("loses only workers that hold nothing and that its leader has chosen", () => {
    const { pods } = result;

    expect(pods.dismissed).toBeGreaterThanOrEqual(workers);
    expect(pods).toMatchObject({ workers: 0, busy: 0, unmarked: 0, killed: 0 });
  });

  test("has no metric for each worker", () => {
    expect(result.metrics.lines).toBeGreaterThan(100);
    expect(result.metrics.ofWorkers).toBe(0);
  });
});
