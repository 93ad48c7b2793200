/**
 * What pools can do, as their workers wrote it. Every request needs it and it hardly ever
 * changes, so a record that was just looked up is used again for a moment.
 */
import type { Broker } from "@zfarm/broker";
import { limits, type PoolId, type PoolRecord } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

interface KnownPool {
  readonly record: PoolRecord;
  /** When it was asked for; monotonic milliseconds. */
  readonly askedMs: number;
}

export class KnownPools {
  readonly #pools: Pick<Broker["pools"], "find" | "list">;
  readonly #clock: Clock;
  /** Only pools that exist, so clients cannot make it grow. */
  readonly #known = new Map<PoolId, KnownPool>();

  constructor(pools: Pick<Broker["pools"], "find" | "list">, clock: Clock) {
    this.#pools = pools;
    this.#clock = clock;
  }

  /** The pool's record, at most `limits.poolKnownMs` old; undefined where there is none. */
  async find(pool: PoolId): Promise<PoolRecord | undefined> {
    const known = this.#known.get(pool);
    const askedMs = this.#clock.monotonic();
    if (known !== undefined && askedMs - known.askedMs < limits.poolKnownMs) return known.record;
    const record = await this.#pools.find(pool);
    if (record === undefined) this.#known.delete(pool);
    else this.#known.set(pool, { record, askedMs });
    return record;
  }

  /** All of them by name, as they are now. */
  list(): Promise<PoolRecord[]> {
    return this.#pools.list();
  }
}
