import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { shardOf, shardsFrom } from "./shards.ts";

describe("shards", () => {
  test("a name lies in one shard for ever: these are what farms rely on", () => {
    const names = ["default", "a", "studio-7", "z".repeat(63)];

    expect(names.map((name) => shardOf(name, 64))).toEqual([37, 32, 9, 11]);
  });

  test("with one shard everything lies in it", () => {
    fc.assert(fc.property(fc.string(), (name) => shardOf(name, 1) === 0));
  });

  test("names spread evenly", () => {
    for (const shards of [2, 3, 8, 64]) {
      const counts = Array.from({ length: shards }, () => 0);
      const names = 200 * shards;
      for (let index = 0; index < names; index += 1) {
        const shard = shardOf(`project-${index}`, shards);
        counts[shard] = (counts[shard] ?? 0) + 1;
      }
      expect(Math.min(...counts)).toBeGreaterThan(100);
      expect(Math.max(...counts)).toBeLessThan(300);
    }
  });

  test("a worker asks every shard once, its home first", () => {
    expect(shardsFrom(2, 4)).toEqual([2, 3, 0, 1]);
    expect(shardsFrom(0, 1)).toEqual([0]);
  });
});
