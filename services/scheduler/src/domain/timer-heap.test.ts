import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Timer, TimerHeap } from "./timer-heap.ts";

function drain(heap: TimerHeap<number>, now: number): number[] {
  const fired: number[] = [];
  for (let due = heap.popDue(now); due !== undefined; due = heap.popDue(now)) fired.push(due);
  return fired;
}

describe("a timer heap", () => {
  test("fires nothing before its time", () => {
    const heap = new TimerHeap<number>();
    heap.set(new Timer(1), 100);

    expect(heap.popDue(99)).toBeUndefined();
    expect(heap.popDue(100)).toBe(1);
  });

  test("fires in order of time, equal times in the order in which they were set", () => {
    const timesAndDrops = fc.array(
      fc.record({ at: fc.nat(20), moveTo: fc.nat(20), fate: fc.nat(2) }),
    );
    fc.assert(
      fc.property(timesAndDrops, (plans) => {
        const heap = new TimerHeap<number>();
        const timers = plans.map((_, index) => new Timer(index));
        plans.forEach(({ at }, index) => timers[index] && heap.set(timers[index], at));
        const kept = plans.flatMap(({ at, moveTo, fate }, index) => {
          const timer = timers[index];
          if (timer === undefined || fate === 0) return [{ at, set: index, index }];
          heap.clear(timer);
          if (fate === 1) return [];
          heap.set(timer, moveTo);
          return [{ at: moveTo, set: plans.length + index, index }];
        });

        const expected = kept.toSorted((one, other) => one.at - other.at || one.set - other.set);

        expect(drain(heap, 20)).toEqual(expected.map(({ index }) => index));
        expect(heap.size).toBe(0);
      }),
    );
  });
});
