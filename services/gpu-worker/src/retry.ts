/** Tries again what may work later; how often is bounded, how long by backoff with jitter. */
import { errorTable, FarmError, limits } from "@zfarm/contract";
import { backoffMs, type Clock } from "@zfarm/runtime";

export interface RetryOptions {
  readonly clock: Clock;
  /** No further attempt begins once this aborts. */
  readonly stop: AbortSignal;
  readonly attemptsMax?: number;
}

/** The first success. Throws the last FarmError, or at once what no retry can heal. */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, stop, attemptsMax = limits.deliveryAttemptsMax } = options;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      const mayHeal = error instanceof FarmError && errorTable[error.code].retry;
      if (!mayHeal || count >= attemptsMax) throw error;
      await clock.sleep(backoffMs(count), stop);
      if (stop.aborted) throw error;
    }
  }
}
