/** The answer of a run: what was done, what held, and whether it was a run at all. */
import type { Judgement } from "./history/check-history.ts";

/** A bound that a run must keep, or a minimum below which it proves nothing. */
export interface Gate {
  readonly name: string;
  readonly wanted: string;
  readonly got: number | undefined;
  readonly holds: boolean;
}

export interface Verdict {
  readonly name: string;
  readonly seed: string;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly gates: readonly Gate[];
  readonly counts: Judgement["counts"];
  readonly violationsTotal: number;
  /** The first ones; the history is kept for the rest. */
  readonly violations: Judgement["violations"];
  readonly faults: Readonly<Record<string, number>>;
  /** Errors that reached clients, by code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly measures: Readonly<Record<string, number | undefined>>;
}

export function atLeast(name: string, got: number | undefined, min: number): Gate {
  return { name, wanted: `at least ${min}`, got, holds: got !== undefined && got >= min };
}

export function below(name: string, got: number | undefined, bound: number): Gate {
  return { name, wanted: `below ${bound}`, got, holds: got !== undefined && got < bound };
}

export function exactly(name: string, got: number, wanted: number): Gate {
  return { name, wanted: `exactly ${wanted}`, got, holds: got === wanted };
}
