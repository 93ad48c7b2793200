import { limits, shardOf } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { ShardRound } from "./shard-round.ts";

describe("whom a free worker asks", () => {
  test("is the one leader of a farm of one shard, for as long as it likes", () => {
    const round = new ShardRound("w1", 1);

    expect([round.next(), round.next()]).toEqual([
      { shard: 0, holdMs: undefined },
      { shard: 0, holdMs: undefined },
    ]);
    expect(round.isOver).toBe(true);
  });

  test("is first that of its home, then every other with a glance, and so on", () => {
    const home = shardOf("w1", 3);
    const round = new ShardRound("w1", 3);

    const turns = [round.next(), round.next(), round.next(), round.next()];

    const other = (step: number) => ({ shard: (home + step) % 3, holdMs: limits.shardGlanceMs });
    const own = { shard: home, holdMs: limits.shardHoldMs };
    expect(turns).toEqual([own, other(1), other(2), own]);
  });

  test("is that of its home again after there was work", () => {
    const round = new ShardRound("w1", 3);
    const first = round.next();
    round.next();

    round.restart();

    expect(round.next()).toEqual(first);
  });
});
