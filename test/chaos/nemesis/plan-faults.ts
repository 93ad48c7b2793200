/** Faults as data: what happens when, drawn from a seed before the run begins. */
import type { Random } from "../random.ts";

export const faultKinds = [
  "kill-worker",
  "stop-worker",
  "kill-leader",
  "kill-nats",
  "kill-gateway",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface PlannedFault {
  /** Since the start of the run. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Chooses among the processes that the kind can hit: uniform in [0, 1). */
  readonly target: number;
  /** For faults that last. */
  readonly lastsMs: number;
}

export interface FaultRate {
  readonly kind: FaultKind;
  /** On average; each gap is drawn from half of it to one and a half. */
  readonly everyMs: number;
  readonly lastsMs?: number;
  /** Exactly every so often instead. */
  readonly isRegular?: boolean;
}

/** All faults of a run in the order of their time; equal arguments give equal plans. */
export function planFaults(
  rates: readonly FaultRate[],
  durationMs: number,
  random: Random,
): PlannedFault[] {
  const faults = rates.flatMap((rate) => planKind(rate, durationMs, random.fork(rate.kind)));
  return faults.toSorted((a, b) => a.atMs - b.atMs);
}

function planKind(
  { kind, everyMs, lastsMs = 0, isRegular = false }: FaultRate,
  durationMs: number,
  random: Random,
): PlannedFault[] {
  if (everyMs <= 0) throw new RangeError(`${kind} every ${everyMs} ms is no rate`);
  const faults: PlannedFault[] = [];
  const nextGap = (): number => (isRegular ? everyMs : everyMs / 2 + random.next() * everyMs);
  for (let atMs = nextGap(); atMs < durationMs; atMs += nextGap()) {
    faults.push({ atMs: Math.round(atMs), kind, target: random.next(), lastsMs });
  }
  return faults;
}
