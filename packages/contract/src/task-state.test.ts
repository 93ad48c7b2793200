import { describe, expect, test } from "vitest";
import { isLive, nextTaskState, taskLifeEvents, taskLifeStates } from "./task-state.ts";

/** The whole table, written out: rows are states, columns events in the order of taskLifeEvents. */
const table: Record<string, readonly (string | undefined)[]> = {
  //          granted   released  succeeded    failed    canceled    expired
  queued: ["leased", undefined, "succeeded", "failed", "canceled", "expired"],
  leased: [undefined, "queued", "succeeded", "failed", "canceled", "expired"],
  succeeded: [],
  failed: [],
  canceled: [],
  expired: [],
};

describe("task states", () => {
  test.each(taskLifeStates)("from %s every event leads where the table says", (state) => {
    const reached = taskLifeEvents.map((event) => nextTaskState(state, event));

    expect(reached).toEqual(taskLifeEvents.map((_, column) => table[state]?.[column]));
  });

  test("what ended stays ended", () => {
    const ended = taskLifeStates.filter((state) => !isLive(state));

    for (const state of ended) {
      expect(taskLifeEvents.map((event) => nextTaskState(state, event))).toEqual(
        taskLifeEvents.map(() => undefined),
      );
    }
    expect(ended).toHaveLength(4);
  });
});
