/**
 * Shards: parts of the farm with a leader each. A project lies in one of them, so that fair shares,
 * leases and fences of a task are the business of one leader. One shard is the default.
 */

/** FNV-1a over the name: the same on every machine, and even over names that hardly differ. */
export function shardOf(name: string, shards: number): number {
  if (shards === 1) return 0;
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  // The low bits of FNV mix least; folding spreads short names better.
  return ((hash >>> 16) ^ (hash & 0xffff)) % shards;
}

/** All shards in the order in which a worker asks them: its home first, then round. */
export function shardsFrom(home: number, shards: number): number[] {
  return Array.from({ length: shards }, (_, step) => (home + step) % shards);
}
