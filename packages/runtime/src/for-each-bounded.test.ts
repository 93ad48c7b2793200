import { describe, expect, test } from "vitest";
import { forEachBounded } from "./for-each-bounded.ts";

async function* slowly(count: number): AsyncGenerator<number> {
  for (let item = 0; item < count; item += 1) {
    await Promise.resolve();
    yield item;
  }
}

describe("forEachBounded", () => {
  test.each([
    ["a list", [...Array(20).keys()]],
    ["a stream", slowly(20)],
  ])("does each item of %s once, a bounded number at a time", async (_name, items) => {
    const done: number[] = [];
    let running = 0;
    let most = 0;

    await forEachBounded(items, 3, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      done.push(item);
      running -= 1;
    });

    expect(done.toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
    expect(most).toBe(3);
  });

  test("begins nothing after a failure, and throws it when the rest has ended", async () => {
    const begun: number[] = [];
    const ended: number[] = [];

    const working = forEachBounded([0, 1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      if (item === 0) throw new RangeError("the first one");
      await Promise.resolve();
      await Promise.resolve();
      ended.push(item);
    });

    await expect(working).rejects.toThrow("the first one");
    expect(begun.length).toBeLessThan(4);
    expect(ended).toEqual(begun.slice(1));
  });
});
