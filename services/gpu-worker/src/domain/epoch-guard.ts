/**
 * Decides whether a leader is obeyed: never one older than the newest that was heard of the same
 * shard. Leaders of different shards have epochs of their own.
 */
export class EpochGuard {
  readonly #seen = new Map<number, bigint>();

  /** The newest epoch of the shard obeyed so far; 0 before the first. */
  seen(shard: number): bigint {
    return this.#seen.get(shard) ?? 0n;
  }

  /** Whether to obey; remembers the epoch if so. */
  obeys(epoch: bigint, shard: number): boolean {
    if (epoch < this.seen(shard)) return false;
    this.#seen.set(shard, epoch);
    return true;
  }
}
