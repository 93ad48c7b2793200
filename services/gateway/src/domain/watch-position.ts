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
  readonly all: Stored[] = [];
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
    const fresh: Told[] = [];
    for (const stored of news) {
      this.all.push(stored);
      this.#told = tellNext(this.#told, indexOf(stored));
      if (stored.revision <= this.#after.revision) this.#toldUpToToken = this.#told;
      else fresh.push(this.#name(stored, this.#told));
    }
    if (this.#isChecked || (fresh.length === 0 && !isCaughtUp)) return fresh;
    this.#isChecked = true;
    return this.#toldUpToToken === this.#after.told ? fresh : this.#nameAll();
  }

  #nameAll(): Told[] {
    let told = toldNothing;
    return this.all.map((stored) => {
      told = tellNext(told, indexOf(stored));
      return this.#name(stored, told);
    });
  }

  #name({ outcome, revision }: Stored, told: number): Told {
    return { outcome, revision, token: this.#tokenOf({ revision, told }) };
  }
}

function indexOf({ outcome }: Stored): number {
  return outcome.spec?.index ?? -1;
}
