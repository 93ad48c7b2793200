/** Decides when a failed call is sent again, and waits until then. */
import { setTimeout as delay } from "node:timers/promises";
import { FarmError, limits } from "@zfarm/contract";
import { isSafeToRetry } from "./service-error.ts";

export interface RetryOptions {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds since the epoch; no retry begins after it. */
  readonly deadline: number | undefined;
}

/** Tries of one call. A stream that made progress starts counting anew. */
export class Retry {
  readonly #options: RetryOptions;
  #failures = 0;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  /** True once a try was lost on the way, so that the farm may have acted on it. */
  get hasLostOne(): boolean {
    return this.#failures > 0;
  }

  /** Call after progress: the next failure is a first one again. */
  reset(): void {
    this.#failures = 0;
  }

  /** Waits before the next try, or throws the error where there is none. */
  async afterFailure(error: FarmError): Promise<void> {
    this.#failures += 1;
    const { signal, deadline } = this.#options;
    if (!isSafeToRetry(error) || this.#failures >= limits.clientAttemptsMax) throw error;
    const waitMs = (error.retryAfterMs ?? 0) + jitteredMs(this.#failures);
    if (deadline !== undefined && Date.now() + waitMs >= deadline) throw error;
    try {
      await delay(waitMs, undefined, signal === undefined ? {} : { signal });
    } catch (thrown) {
      signal?.throwIfAborted();
      throw FarmError.from(thrown);
    }
  }
}

/** Full jitter: clients that failed together must not come back together. */
function jitteredMs(failures: number): number {
  const { clientBackoffMsFirst: firstMs, clientBackoffMsMax: maxMs } = limits;
  return Math.random() * Math.min(maxMs, firstMs * 2 ** (failures - 1));
}
