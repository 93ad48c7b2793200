/** Waiting for a condition, bounded, and said in words when it does not come true. */
import { setTimeout as sleep } from "node:timers/promises";

const lookEveryMs = 25;

/** Resolves with the first value that is not undefined or false; throws after `withinMs`. */
export async function waitUntil<Value>(
  what: string,
  withinMs: number,
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
): Promise<Value> {
  const until = performance.now() + withinMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(lookEveryMs);
  }
}
