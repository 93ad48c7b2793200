/** A sum in which old parts count less and less: half as much every `recentUseHalfMs`. */
import { limits } from "@zfarm/contract";

export class RecentSum {
  #sum = 0;
  #agedAt = 0;

  get value(): number {
    return this.#sum;
  }

  /** A correction may be negative; what has aged meanwhile cannot be taken back below nothing. */
  add(amount: number): void {
    this.#sum = Math.max(0, this.#sum + amount);
  }

  /** To be called now and then, with a time that never goes back. */
  age(elapsedMs: number): void {
    this.#sum *= 0.5 ** ((elapsedMs - this.#agedAt) / limits.recentUseHalfMs);
    this.#agedAt = elapsedMs;
  }
}
