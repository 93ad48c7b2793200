/** Time as a dependency: whoever reads the clock or waits takes a `Clock`. */

export interface Clock {
  /** Milliseconds since the epoch; may jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds since some start; never goes back. For durations. */
  monotonic(): number;
  /** Waits; resolves early, and never throws, when `stop` aborts. */
  sleep(ms: number, stop: AbortSignal): Promise<void>;
}

/** What a timer can hold; Node fires longer ones at once. */
const timerMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, stop) =>
    new Promise((resolve) => {
      if (stop.aborted) {
        resolve();
        return;
      }
      const wake = (): void => {
        clearTimeout(timer);
        // A signal outlives most waits: a listener left behind on each would pile up.
        stop.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(Math.max(ms, 0), timerMsMax));
      stop.addEventListener("abort", wake);
    }),
};
