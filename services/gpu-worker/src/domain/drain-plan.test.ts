import { expect, test } from "vitest";
import { createLease } from "../../testing/scripted-leader.ts";
import { chooseHandBacks } from "./drain-plan.ts";
import { type HeldPhase, HeldTask } from "./held-tasks.ts";

function held(phase: HeldPhase, step: number): HeldTask {
  const image = { prompt: "", width: 64, height: 64, steps: 8, seed: 1n, loras: [] };
  const { spec, ...lease } = createLease(0);
  const identity = { project: "default", job: "", index: 0, pool: "default" };
  const task = new HeldTask({ ...lease, spec: spec ?? identity }, image, 0);
  return Object.assign(task, { phase, step });
}

test.each([
  ["a task the engine has not begun is handed back", held("waiting", 0), 1],
  ["a picture that is done stays", held("delivering", 8), 0],
  ["steps that do not fit are handed back", held("rendering", 0), 1],
  ["late steps fit where early ones do not", held("rendering", 1), 0],
])("%s", (_, task, handBacks) => {
  // Eight steps and the tail are ten; nine fit.
  const bounds = { graceMs: 9_000, stepMs: 1_000 };

  expect(chooseHandBacks([task], bounds)).toHaveLength(handBacks);
});

test("a first step of unknown length is given its chance", () => {
  expect(chooseHandBacks([held("rendering", 0)], { graceMs: 1, stepMs: 0 })).toEqual([]);
});
