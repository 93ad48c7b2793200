/**
 * What clients of the farm did and saw, and what the farm holds in the end: the two sides that the
 * checker compares. Times are milliseconds of the machine's monotonic clock.
 */

/** One picture that was asked for. */
export interface WantedTask {
  readonly index: number;
  /** Of the only bytes that the stub engine draws for its spec. */
  readonly sha256: string;
}

/** How a task ended, in the words of the contract: "succeeded", "failed", "canceled", "expired". */
export type EndState = "succeeded" | "failed" | "canceled" | "expired";

export type HistoryEntry = { readonly atMs: number } & (
  | { readonly kind: "submit-invoked"; readonly job: string; readonly tasks: readonly WantedTask[] }
  /** The farm said OK: every task must end. */
  | { readonly kind: "submit-ok"; readonly job: string; readonly returned: string }
  /** The farm said no: nothing of it may be rendered. */
  | { readonly kind: "submit-refused"; readonly job: string; readonly code: string }
  /** Nobody knows: the job may exist or not. */
  | { readonly kind: "submit-unknown"; readonly job: string; readonly code: string }
  /** From here on its tasks may end canceled. */
  | { readonly kind: "cancel-invoked"; readonly job: string }
  | { readonly kind: "cancel-ok"; readonly job: string }
  | {
      readonly kind: "task-seen";
      /** Who saw it: equal for a watch and the watches that resumed it. */
      readonly watch: string;
      readonly job: string;
      readonly index: number;
      readonly state: EndState;
      readonly sha256: string;
    }
  | { readonly kind: "job-seen"; readonly watch: string; readonly job: string }
);

/** The one terminal record of a task as the broker holds it. */
export interface StoredOutcomeFact {
  readonly job: string;
  readonly index: number;
  readonly state: EndState;
  /** Why it failed; empty otherwise. */
  readonly reason: string;
  readonly fence: bigint;
  readonly worker: string;
  readonly attempt: number;
  /** Where the picture lies and what it should be; empty where there is none. */
  readonly key: string;
  readonly sha256: string;
  /** Position in OUTCOMES. */
  readonly revision: bigint;
}

export interface StoredTaskFact {
  readonly job: string;
  readonly index: number;
}

export interface StoredObjectFact {
  readonly key: string;
  /** Of the bytes that are there. */
  readonly sha256: string;
}

/** Everything the farm holds once it has come to rest. */
export interface FarmScan {
  readonly outcomes: readonly StoredOutcomeFact[];
  readonly queued: readonly StoredTaskFact[];
  readonly objects: readonly StoredObjectFact[];
}

/** A fault or an observation of the harness, on the same clock as the history. */
export type FarmEvent = { readonly atMs: number } & (
  | { readonly kind: "fault"; readonly fault: string; readonly target: string }
  /** The engine of a worker began or finished an attempt. */
  | { readonly kind: "begin" | "drawn"; readonly worker: string; readonly attempt: string }
  /** A worker froze at a point that it was told to freeze at. */
  | { readonly kind: "halt"; readonly worker: string; readonly point: string }
  | { readonly kind: "outcome"; readonly job: string; readonly index: number }
);

export class History {
  readonly entries: HistoryEntry[] = [];
  readonly events: FarmEvent[] = [];
  #names = 0;

  /** Unique in this history. */
  name(what: string): string {
    this.#names += 1;
    return `${what} ${this.#names}`;
  }

  /** Now, on the clock of the history. */
  now(): number {
    return performance.now();
  }
}
