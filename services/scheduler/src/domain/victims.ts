/**
 * Which workers of a pool to take away first: those that lose the least. Workers that drain come
 * before all others, since they take no work anyway: a drain that was begun is finished before
 * another worker is given up.
 */
import type { WorkerId } from "@zfarm/contract";

export interface VictimCandidate {
  readonly id: WorkerId;
  /** Told to take no more work. */
  readonly isDraining: boolean;
  /** Predicted device time of the tasks it holds, in milliseconds; 0: idle. */
  readonly workLeftMs: number;
  /** Bytes of adapters at hand that waiting tasks want. */
  readonly warmBytes: number;
}

/** What decided against a worker. */
export type VictimReason = "draining" | "idle" | "least-work" | "coldest-shelf";

export interface RankedVictim {
  readonly candidate: VictimCandidate;
  readonly reason: VictimReason;
}

/**
 * The first `count` to take away, in order: draining, then idle, then with the least work left;
 * of equal ones the coldest shelf, then the name, so that two askers get the same answer.
 */
export function rankVictims(candidates: readonly VictimCandidate[], count: number): RankedVictim[] {
  const ranked = candidates.toSorted(compare);
  return ranked.slice(0, count).map((candidate, place) => {
    const next = ranked[place + 1];
    return { candidate, reason: reasonFor(candidate, next) };
  });
}

function compare(one: VictimCandidate, other: VictimCandidate): number {
  if (one.isDraining !== other.isDraining) return one.isDraining ? -1 : 1;
  if (one.workLeftMs !== other.workLeftMs) return one.workLeftMs - other.workLeftMs;
  if (one.warmBytes !== other.warmBytes) return one.warmBytes - other.warmBytes;
  return one.id < other.id ? -1 : 1;
}

/** The first rule that sets a worker apart from the one it goes before. */
function reasonFor(victim: VictimCandidate, next: VictimCandidate | undefined): VictimReason {
  if (victim.isDraining) return "draining";
  const isShelfDecisive =
    next !== undefined &&
    next.workLeftMs === victim.workLeftMs &&
    next.warmBytes > victim.warmBytes;
  if (isShelfDecisive) return "coldest-shelf";
  return victim.workLeftMs === 0 ? "idle" : "least-work";
}
