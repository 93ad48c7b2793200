/** A clock that stands still until a test moves it; passes the same suite as the system's. */
import type { Clock } from "@zfarm/runtime";

export interface ManualClock extends Clock {
  /** Moves time on, waking sleepers in the order they are due, each at its own moment. */
  advance(ms: number): Promise<void>;
  /** Settles once at least this many sleepers wait, so a test never advances too early. */
  sleeping(count?: number): Promise<void>;
}

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

export function createManualClock(startMs = 1_700_000_000_000): ManualClock {
  const sleepers = new Set<Sleeper>();
  const watchers = new Set<() => void>();
  let elapsedMs = 0;

  const sleep = (ms: number, stop: AbortSignal): Promise<void> => {
    if (stop.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        sleepers.delete(sleeper);
        stop.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper = { dueMs: elapsedMs + Math.max(ms, 0), wake };
      stop.addEventListener("abort", wake);
      sleepers.add(sleeper);
      for (const check of watchers) check();
    });
  };

  const advance = async (ms: number): Promise<void> => {
    await settle();
    const targetMs = elapsedMs + ms;
    for (let next = earliest(sleepers); next !== undefined; next = earliest(sleepers)) {
      if (next.dueMs > targetMs) break;
      elapsedMs = Math.max(elapsedMs, next.dueMs);
      next.wake();
      await settle();
    }
    elapsedMs = targetMs;
    await settle();
  };

  const sleeping = (count = 1): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (sleepers.size < count) return;
        watchers.delete(check);
        resolve();
      };
      watchers.add(check);
      check();
    });

  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    sleep,
    advance,
    sleeping,
  };
}

function earliest(sleepers: ReadonlySet<Sleeper>): Sleeper | undefined {
  return [...sleepers].toSorted((a, b) => a.dueMs - b.dueMs)[0];
}

/** Lets everything that is runnable run: all microtasks, then one turn of the event loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
