import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Batchable, countJoiners } from "./batch-queue.ts";

function member(width: number, alone = false): Batchable {
  const task = { task: "t", prompt: "", width, height: 64, steps: 4, seed: 0n };
  return { task, alone };
}

const members = fc.array(
  fc.tuple(fc.constantFrom(64, 96), fc.boolean()).map(([width, alone]) => member(width, alone)),
  { maxLength: 12 },
);

describe("countJoiners", () => {
  test("joins a running batch of the same shape up to the bound", () => {
    const waiting = [member(64), member(64), member(64)];

    expect(countJoiners(waiting, [member(64), member(64)], 4)).toBe(2);
  });

  test("lets nobody past a task of another shape", () => {
    expect(countJoiners([member(96), member(64)], [member(64)], 4)).toBe(0);
  });

  test("runs a suspect by itself", () => {
    expect(countJoiners([member(64, true), member(64)], [], 4)).toBe(1);
    expect(countJoiners([member(64)], [member(64, true)], 4)).toBe(0);
  });

  test("an empty batch always takes the head, and a batch has one shape and a bound", () => {
    fc.assert(
      fc.property(members, fc.integer({ min: 1, max: 8 }), (waiting, batchMax) => {
        const count = countJoiners(waiting, [], batchMax);
        const batch = waiting.slice(0, count);

        expect(count).toBeGreaterThanOrEqual(Math.min(1, waiting.length));
        expect(count).toBeLessThanOrEqual(batchMax);
        expect(new Set(batch.map(({ task }) => task.width)).size).toBeLessThanOrEqual(1);
      }),
    );
  });
});
