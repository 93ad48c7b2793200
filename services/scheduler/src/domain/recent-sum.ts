/** A sum in which old parts count less and less: half as much every `recentUseHalfMs`. */
import { limits } from "@zfarm/contract";

export class RecentSum {
  #sum = 0;
  /** Undefined until time is known to it: what it holds then is young. */
  #agedAt: number | undefined = undefined;

  get value(): number {
    return this.#sum;
  }

  /** A correction may be negative; what has aged meanwhile cannot be taken back below nothing. */
  add(amount: number): void {
    this.#sum = Math.max(0, this.#sum + amount);
  }

  /** To be called now and then, with a time that never goes back. */
  age(elapsedMs: number): void {
    const sinceMs = elapsedMs - (this.#agedAt ?? elapsedMs);
    this.#sum *= 0.5 ** (sinceMs / limits.recentUseHalfMs);
    this.#agedAt = elapsedMs;
  }
}
