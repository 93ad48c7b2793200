/**
 * How much work will come: level and trend of a rate (Holt's method), both as moving means whose
 * weight follows the time between two looks. The trend never makes more than a bounded factor.
 */
import { limits } from "@zfarm/contract";

export class Forecast {
  #level = 0;
  /** Change of the level per millisecond. */
  #trend = 0;

  #knownMs = 0;

  /** Takes the rate of the last `sinceMs`, and what one task costs of late. */
  learn(rate: number, sinceMs: number, taskMs: number): void {
    if (sinceMs <= 0) return;
    // Large tasks come seldom: the same few seconds would see one of them or none.
    const { autoscaleLevelMs, autoscaleLevelMsMax, autoscaleLevelTasks } = limits;
    const wantedMs = Math.max(autoscaleLevelMs, autoscaleLevelTasks * taskMs);
    const levelMs = Math.min(wantedMs, autoscaleLevelMsMax);
    const before = this.#level;
    this.#knownMs += sinceMs;
    // At first a plain mean: that nothing was known before is no rise.
    if (this.#knownMs <= levelMs) {
      this.#level += (sinceMs / this.#knownMs) * (rate - before);
      return;
    }
    const weight = 1 - Math.exp(-sinceMs / levelMs);
    const expected = Math.max(0, before + this.#trend * sinceMs);
    this.#level = expected + weight * (rate - expected);
    const trendWeight = 1 - Math.exp(-sinceMs / limits.autoscaleTrendMs);
    this.#trend += trendWeight * ((this.#level - before) / sinceMs - this.#trend);
  }

  /** What comes now. */
  get level(): number {
    return Math.max(0, this.#level);
  }

  /** What should come `aheadMs` from now. */
  ahead(aheadMs: number): number {
    const { autoscaleTrendMin, autoscaleTrendMax } = limits;
    const predicted = this.#level + this.#trend * aheadMs;
    const bounded = Math.min(predicted, this.level * autoscaleTrendMax);
    return Math.max(bounded, this.level * autoscaleTrendMin);
  }
}
