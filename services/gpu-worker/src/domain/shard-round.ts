/**
 * Decides which shard's leader a free worker asks next: that of its home, which may hold the
 * request for a moment, then the others with a glance. With one shard it is always the same.
 */
import { limits, shardOf, shardsFrom } from "@zfarm/contract";

export interface ShardTurn {
  readonly shard: number;
  /** Undefined: the leader decides. */
  readonly holdMs: number | undefined;
}

export class ShardRound {
  readonly #order: readonly number[];
  #turn = 0;

  constructor(worker: string, shards: number) {
    this.#order = shardsFrom(shardOf(worker, shards), shards);
  }

  /** Whether every shard was asked since the round began. */
  get isOver(): boolean {
    return this.#turn % this.#order.length === 0;
  }

  next(): ShardTurn {
    const turn = this.#turn % this.#order.length;
    this.#turn = turn + 1;
    const shard = this.#order[turn] ?? 0;
    if (this.#order.length === 1) return { shard, holdMs: undefined };
    return { shard, holdMs: turn === 0 ? limits.shardHoldMs : limits.shardGlanceMs };
  }

  /** There was work: the home comes first again. */
  restart(): void {
    this.#turn = 0;
  }
}
