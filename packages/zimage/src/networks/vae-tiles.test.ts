import { describe, expect, test } from "vitest";
import { cutTile, planTiles, TileBlender } from "./vae-tiles.ts";

describe("planTiles", () => {
  test("leaves a latent whole that fits", () => {
    expect(planTiles({ height: 8, width: 6 }, 8)).toEqual([
      { top: 0, left: 0, height: 8, width: 6 },
    ]);
  });

  test.each([9, 16, 17, 23, 100])(
    "covers %i cells, with a quarter of a side in common",
    (length) => {
      const tiles = planTiles({ height: length, width: 4 }, 8);

      expect(tiles[0]?.top).toBe(0);
      expect((tiles.at(-1)?.top ?? 0) + 8).toBe(length);
      for (const [at, tile] of tiles.slice(1).entries()) {
        expect((tiles[at]?.top ?? 0) + 8 - tile.top).toBeGreaterThanOrEqual(2);
      }
    },
  );
});

test("tiles that are cut and blended are the whole again", () => {
  const size = { height: 13, width: 11 };
  const values = Float32Array.from({ length: 2 * 13 * 11 }, (_, at) => Math.sin(at));
  const blender = new TileBlender(size, 2);
  for (const tile of planTiles(size, 5)) blender.add(cutTile(values, size, tile), tile);
  const whole = blender.finish();

  for (const [at, value] of whole.entries()) expect(value).toBeCloseTo(values[at] ?? 0, 5);
});

test("neighbours pass into each other without a step", () => {
  const size = { height: 4, width: 12 };
  const blender = new TileBlender(size, 1);
  for (const tile of planTiles(size, 8)) {
    blender.add(new Float32Array(4 * 8).fill(tile.left), tile);
  }
  const row = blender.finish().slice(0, 12);

  expect(row[0]).toBe(0);
  expect(row[11]).toBe(4);
  expect([...row]).toEqual([...row].toSorted((a, b) => a - b));
  const steps = Array.from(row.slice(1), (value, at) => value - (row[at] ?? 0));
  expect(Math.max(...steps)).toBeLessThan(2);
});
