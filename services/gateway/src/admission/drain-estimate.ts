/**
 * When a full queue will have room: how many tasks have ended between two refusals says how fast
 * it drains. Asks the broker at most once in a while, however many are refused.
 */
import type { Broker } from "@zfarm/broker";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

interface Sample {
  readonly atMs: number;
  /** Grows by one with every task that ends. */
  readonly ended: bigint;
}

export class DrainEstimate {
  readonly #outcomes: Pick<Broker["outcomes"], "lastRevision">;
  readonly #clock: Clock;
  #last: Sample | undefined;
  /** Tasks that end in a millisecond; undefined before two samples. */
  #perMs: number | undefined;

  constructor(outcomes: Pick<Broker["outcomes"], "lastRevision">, clock: Clock) {
    this.#outcomes = outcomes;
    this.#clock = clock;
  }

  /** Until as many tasks have ended as the request has; a fixed time where nothing is known. */
  async estimateMs(tasks: number): Promise<number> {
    await this.#measure();
    if (this.#perMs === undefined) return limits.queueFullRetryMs;
    const ms = Math.ceil(tasks / this.#perMs);
    return Math.min(Math.max(ms, limits.drainRetryMsMin), limits.drainRetryMsMax);
  }

  async #measure(): Promise<void> {
    const atMs = this.#clock.monotonic();
    const last = this.#last;
    if (last !== undefined && atMs - last.atMs < limits.drainSampleMs) return;
    // Set before the question: those who are refused meanwhile ask none of their own.
    this.#last = { atMs, ended: last?.ended ?? 0n };
    try {
      const ended = await this.#outcomes.lastRevision();
      this.#last = { atMs, ended };
      if (last !== undefined) this.#perMs = Number(ended - last.ended) / (atMs - last.atMs);
    } catch (error) {
      // An estimate is a courtesy: without an answer the last one stands.
      if (!(error instanceof FarmError)) throw error;
      this.#last = last;
    }
  }
}
