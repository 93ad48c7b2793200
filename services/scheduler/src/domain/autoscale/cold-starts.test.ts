import { limits, type WorkerId } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { ColdStarts } from "./cold-starts.ts";
import type { FleetMember, PhaseTimes } from "./fleet.ts";

/** One that was asked for at 0. */
function started(index: number, readyAt: number, more: Partial<FleetMember> = {}): FleetMember {
  const worker = `worker-${index}` as WorkerId;
  return { worker, phase: "ready", createdAt: 0, readyAt, ...more };
}

describe("cold starts", () => {
  test("are what 8 of 10 took, apart for nodes that had to be made", () => {
    const starts = new ColdStarts();
    const warm = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((seconds, index) =>
      started(index, seconds * 1_000, { isOnNewNode: false }),
    );

    starts.learn([...warm, started(10, 240_000, { isOnNewNode: true })]);

    expect(starts.measured("warm_node")).toBe(80_000);
    expect(starts.measured("new_node")).toBe(240_000);
  });

  test("count each worker once, and forget the oldest", () => {
    const starts = new ColdStarts();
    const first = started(0, 500_000);
    starts.learn([first]);
    const rest = Array.from({ length: limits.autoscaleColdStarts }, (_, index) =>
      started(index + 1, 20_000),
    );

    starts.learn([first, ...rest]);

    expect(starts.expected()).toBe(20_000);
  });

  test("are told by phase, as far as anybody knows them", () => {
    const starts = new ColdStarts();
    const phases: readonly PhaseTimes[] = [
      { node: 1_000, image: 30_000, weights: 0, worker: 20_000 },
      { node: 90_000, image: 40_000, weights: 0, worker: 25_000 },
      {},
    ];

    starts.learn(phases.map((one, index) => started(index, 100_000, { phases: one })));

    expect(starts.measuredPhase("node")).toBe(90_000);
    expect(starts.measuredPhase("image")).toBe(40_000);
    expect(starts.measuredPhase("weights")).toBe(0);
    expect(new ColdStarts().measuredPhase("worker")).toBeUndefined();
  });
});
