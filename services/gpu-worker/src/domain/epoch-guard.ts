/** Decides whether a leader is obeyed: never one older than the newest that was heard. */
export class EpochGuard {
  #seen = 0n;

  /** The newest epoch obeyed so far; 0 before the first. */
  get seen(): bigint {
    return this.#seen;
  }

  /** Whether to obey; remembers the epoch if so. */
  obeys(epoch: bigint): boolean {
    if (epoch < this.#seen) return false;
    this.#seen = epoch;
    return true;
  }
}
