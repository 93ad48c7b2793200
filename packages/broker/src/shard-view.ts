/**
 * Which part of the farm a broker shows. A whole one is for gateways, workers and farms of one
 * shard; a leader of one of several sees what lies in its own and hears workers only of that.
 */
import { FarmError, shardOf } from "@zfarm/contract";
import { invariant } from "@zfarm/runtime";

export interface ShardView {
  /** Shards of the farm. */
  readonly shards: number;
  /** The one that is shown; undefined for all. */
  readonly only: number | undefined;
}

export function showsProject({ shards, only }: ShardView, project: string): boolean {
  return only === undefined || shardOf(project, shards) === only;
}

/** The shard that somebody who leads serves: with one, that one. */
export function ledShard({ shards, only }: ShardView): number {
  invariant(only !== undefined || shards === 1, "a leader leads one shard");
  return only ?? 0;
}

/** Processes that count shards differently would look for tasks where nobody puts them. */
export function assertSameShards(own: number, standing: number): void {
  if (own === standing) return;
  const told = `this farm has ${standing} shard(s), and this process is set to ${own}`;
  throw new FarmError("STATE_LOST", `${told}: FARM_SHARDS must be as it was at the first start`);
}
