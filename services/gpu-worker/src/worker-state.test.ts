import { defaultPool, type WorkerId } from "@zfarm/contract";
import { expect, test } from "vitest";
import { WorkerState } from "./worker-state.ts";

const createState = (): WorkerState =>
  new WorkerState({ worker: "w1" as WorkerId, pool: defaultPool, slots: 2 });

test("a drain that the leader asked for ends when it says so", () => {
  const state = createState();
  state.drain();
  expect(state.slotsFree).toBe(0);

  expect(state.resume()).toBe(true);

  expect(state.isDraining).toBe(false);
  expect(state.slotsFree).toBe(2);
});

test("the drain of a process that ends is final, whatever was asked before or after", () => {
  const state = createState();
  state.drain();
  state.drainForGood();
  state.drain();

  expect(state.resume()).toBe(false);

  expect(state.isDraining).toBe(true);
});

test("every change of the drain is told at once, and nothing else is", () => {
  const state = createState();
  const [begins, stays] = [state.news, state.news];
  state.resume();
  expect(begins.aborted).toBe(false);

  state.drain();
  const ends = state.news;
  state.drain();

  expect([begins.aborted, stays.aborted, ends.aborted]).toEqual([true, true, false]);
});
