/** Tells the time between one thing and the next. */
import type { Clock } from "@zfarm/runtime";

export class StopWatch {
  readonly #clock: Clock;
  #beganMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganMs = clock.monotonic();
  }

  /** Milliseconds since the last lap, or since there is the watch. */
  lap(): number {
    const now = this.#clock.monotonic();
    const tookMs = now - this.#beganMs;
    this.#beganMs = now;
    return tookMs;
  }
}
