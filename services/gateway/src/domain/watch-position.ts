/**
 * Decides which outcomes a resumed watch is still to be told of. It goes on behind its token,
 * unless the broker has lost outcomes since and has them again in another order: then revisions up
 * to the token's stand for others than were told, and all are told again. Twice is better than
 * never.
 */
import type { JobRef, Outcome } from "@zfarm/contract";
import { type ResumePoint, resumeTokensOf, tellNext, toldNothing } from "./tokens.ts";

interface Stored {
  readonly outcome: Outcome;
  readonly revision: bigint;
}

/** With the token of a watch that was told of it last. */
export interface Told extends Stored {
  readonly token: string;
}

export class WatchPosition {
  /** Oldest first, each task once. */
  readonly all: Told[] = [];
  readonly #tokenOf: (point: ResumePoint) => string;
  readonly #after: ResumePoint;
  #told = toldNothing;
  #toldUpToToken = toldNothing;
  #isChecked: boolean;

  constructor(job: JobRef, after: ResumePoint) {
    this.#tokenOf = resumeTokensOf(job);
    this.#after = after;
    this.#isChecked = after.told === undefined;
  }

  /** Takes the next ones of the log, and whether those of before are all there now. */
  take(news: readonly Stored[], isCaughtUp: boolean): readonly Told[] {
    const fresh = news.map((stored) => this.#name(stored));
    const { revision: after, told } = this.#after;
    const isBeyond = fresh.some(({ revision }) => revision > after);
    if (!this.#isChecked && (isBeyond || isCaughtUp)) {
      this.#isChecked = true;
      if (this.#toldUpToToken !== told) return [...this.all];
    }
    return fresh.filter(({ revision }) => revision > after);
  }

  #name({ outcome, revision }: Stored): Told {
    this.#told = tellNext(this.#told, outcome.spec?.index ?? -1);
    if (revision <= this.#after.revision) this.#toldUpToToken = this.#told;
    const token = this.#tokenOf({ revision, told: this.#told });
    const named = { outcome, revision, token };
    this.all.push(named);
    return named;
  }
}
