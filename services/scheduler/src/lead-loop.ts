/** Stands for leadership, leads, and stands again: what ends a term and what ends the process. */
import type { LeaderTerm } from "@zfarm/broker";
import { errorTable, FarmError } from "@zfarm/contract";
import { backoffMs } from "@zfarm/runtime";
import type { TermNeeds } from "./decider.ts";
import { leadTerm } from "./leader-term.ts";

/** Returns when `stop` aborts. Rejects with what a new term would not heal, as STATE_LOST. */
export async function leadLoop(
  needs: TermNeeds,
  candidate: string,
  stop: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    needs.log.info({ candidate }, "standing by");
    const term = await needs.broker.leadership.acquire(candidate, stop);
    const failure = await tryTerm(needs, term, stop);
    // A term that fails at once must not turn into a storm of terms.
    failures = failure === undefined ? 0 : failures + 1;
    if (failures > 0) await needs.clock.sleep(backoffMs(failures), stop);
  }
}

/** One term; gives the failure that a later term may not meet, and throws any other. */
async function tryTerm(
  needs: TermNeeds,
  term: LeaderTerm,
  stop: AbortSignal,
): Promise<FarmError | undefined> {
  const log = needs.log.child({ epoch: String(term.epoch) });
  try {
    await leadTerm({ ...needs, log }, term, stop);
    log.info({ lost: term.lost.aborted }, "no longer leading");
    return undefined;
  } catch (error) {
    if (!(error instanceof FarmError) || !errorTable[error.code].retry) throw error;
    log.warn({ error }, "term failed");
    return error;
  } finally {
    // Given back even after a failure: a standby may fare better.
    if (!term.lost.aborted) await term.resign();
  }
}
