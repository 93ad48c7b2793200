import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type HeapMember, IndexedHeap } from "./indexed-heap.ts";

interface Entry extends HeapMember {
  key: number;
  readonly id: number;
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.key < other.key || (one.key === other.key && one.id < other.id);
}

function inOrder(entries: Iterable<Entry>): Entry[] {
  return [...entries].toSorted((one, other) => (isBefore(one, other) ? -1 : 1));
}

describe("an indexed heap", () => {
  test("agrees with a sorted list, whatever is put, moved and removed", () => {
    const moves = fc.array(fc.record({ id: fc.nat(30), key: fc.option(fc.nat(9)) }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(moves, fc.nat(40), (steps, count) => {
        const heap = new IndexedHeap<Entry>(isBefore);
        const entries = Array.from({ length: 31 }, (_, id): Entry => ({ id, key: 0, slot: -1 }));
        const model = new Set<Entry>();

        for (const { id, key } of steps) {
          const entry = entries[id];
          if (entry === undefined) continue;
          if (key === null) {
            heap.remove(entry);
            model.delete(entry);
          } else {
            entry.key = key;
            heap.put(entry);
            model.add(entry);
          }

          const expected = inOrder(model);
          expect(heap.size).toBe(model.size);
          expect(heap.first).toBe(expected[0]);
          expect(heap.peek(count)).toEqual(expected.slice(0, count));
        }
      }),
      { numRuns: 60 },
    );
  });
});
