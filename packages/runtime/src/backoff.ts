/** How long to wait before trying again. */
import { invariant } from "./invariant.ts";

export interface BackoffOptions {
  /** Upper bound of the first wait. */
  readonly firstMs?: number;
  /** Upper bound of every wait. */
  readonly maxMs?: number;
  /** Uniform in [0, 1); tests pass their own. */
  readonly random?: () => number;
}

/**
 * Milliseconds to wait before retry `attempt` (1 is the first): uniform between 0 and
 * `firstMs * 2^(attempt - 1)`, never above `maxMs`. Full jitter spreads clients that failed
 * together better than jitter around a fixed wait:
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(attempt: number, options: BackoffOptions = {}): number {
  const { firstMs = 100, maxMs = 5_000, random = Math.random } = options;
  invariant(attempt >= 1, `a retry is counted from 1, got ${attempt}`);
  invariant(firstMs > 0 && maxMs >= firstMs, `0 < firstMs ${firstMs} <= maxMs ${maxMs}`);
  const boundMs = Math.min(maxMs, firstMs * 2 ** (attempt - 1));
  return random() * boundMs;
}
