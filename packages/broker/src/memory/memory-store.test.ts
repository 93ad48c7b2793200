import { createManualClock } from "@zfarm/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryStore } from "./memory-store.ts";

const bytes = new Uint8Array();
const all = (): boolean => true;

describe("MemoryStore", () => {
  test("forgets messages at their age, and counts revisions on", async () => {
    const clock = createManualClock();
    const store = new MemoryStore({ name: "S", clock, maxAgeMs: 100 });
    store.put({ subject: "a", bytes });
    await clock.advance(60);
    store.put({ subject: "b", bytes });

    await clock.advance(40);

    expect([store.last("a"), store.last("b")?.revision]).toEqual([undefined, 2n]);
    expect(store.put({ subject: "a", bytes, expected: 0n })).toMatchObject({ revision: 3n });
  });

  test("holds as many messages as it may again after some were removed", () => {
    const clock = createManualClock();
    const store = new MemoryStore({ name: "S", clock, messagesMax: 3 });
    for (let round = 0; round < 5_000; round += 1) {
      for (const subject of ["a", "b", "c"]) {
        store.put({ subject, bytes, expected: 0n });
        if (round < 4_999) store.remove(store.lastRevision);
      }
    }

    expect(readAll(store)[0]?.[0]).toBe("a");
    expect(() => store.put({ subject: "d", bytes })).toThrow("S holds 3 messages, its bound");
  });

  test("shows exactly the newest message of each subject, in order of writing", () => {
    const step = fc.record({
      subject: fc.constantFrom("a", "b", "c", "d"),
      action: fc.constantFrom("put", "remove"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const store = new MemoryStore({ name: "S", clock: createManualClock() });
        const model = new Map<string, bigint>();
        for (const { subject, action } of steps) {
          const revision = model.get(subject);
          model.delete(subject);
          if (action === "put") store.put({ subject, bytes });
          else if (revision !== undefined) store.remove(revision);
          if (action === "put") model.set(subject, store.lastRevision);
        }

        expect(readAll(store)).toEqual([...model]);
      }),
    );
  });
});

function readAll(store: MemoryStore): [string, bigint][] {
  const messages = store.after(0n, { matches: all, until: undefined });
  return messages.map(({ subject, revision }) => [subject, revision]);
}
