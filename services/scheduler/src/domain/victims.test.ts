import type { WorkerId } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { rankVictims, type VictimCandidate } from "./victims.ts";

function workerOf(id: string, options: Partial<VictimCandidate> = {}): VictimCandidate {
  return { id: id as WorkerId, isDraining: false, workLeftMs: 0, warmBytes: 0, ...options };
}

function rank(count: number, ...candidates: VictimCandidate[]): [string, string][] {
  return rankVictims(candidates, count).map(({ candidate, reason }) => [candidate.id, reason]);
}

describe("the workers to take away first", () => {
  test("are draining ones, idle ones, and those with the least work left", () => {
    const busy = workerOf("busy", { workLeftMs: 9_000 });
    const short = workerOf("short", { workLeftMs: 1_000, warmBytes: 5 });
    const idle = workerOf("idle", { warmBytes: 9 });
    const draining = workerOf("draining", { isDraining: true, workLeftMs: 99_000 });

    expect(rank(9, busy, short, idle, draining)).toEqual([
      ["draining", "draining"],
      ["idle", "idle"],
      ["short", "least-work"],
      ["busy", "least-work"],
    ]);
  });

  test("are those with the coldest shelf where the work is equal", () => {
    const cold = workerOf("cold", { warmBytes: 1 });
    const warm = workerOf("warm", { warmBytes: 2 });

    expect(rank(2, warm, cold)).toEqual([
      ["cold", "coldest-shelf"],
      ["warm", "idle"],
    ]);
  });

  test("are the same whoever asks, and no more than asked for", () => {
    const workers = ["c", "a", "b"].map((id) => workerOf(id));

    expect(rank(2, ...workers)).toEqual(rank(2, ...workers.toReversed()));
    expect(rank(2, ...workers).map(([id]) => id)).toEqual(["a", "b"]);
    expect(rank(0, ...workers)).toEqual([]);
  });
});
