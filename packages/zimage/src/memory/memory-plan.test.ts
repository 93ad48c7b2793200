import { describe, expect, it, test } from "vitest";
import { baseBytes, learn, type MemoryBudget, planMemory } from "./memory-plan.ts";

const networks = {
  textEncoder: 2e9,
  transformer: 3e9,
  vae: 2e8,
  perRow: 3e5,
  perPixel: 8e3,
  perToken: 3e5,
};
const picture = { width: 1024, height: 1024, rows: 4128, tokens: 32 };
const budget = (bytes: number, change: Partial<MemoryBudget> = {}): MemoryBudget => ({
  bytes,
  networks,
  inTurn: false,
  learned: 1,
  ...change,
});
const fixed = baseBytes + 3e9 + 2e8 + 4128 * 3e5;
const encoder = 2e9 + 32 * 3e5;

describe("planMemory", () => {
  it("draws whole with everything open where there is room", () => {
    expect(planMemory(budget(64e9), picture)).toEqual({
      fits: true,
      needBytes: fixed + encoder + 1024 * 1024 * 8e3,
      releaseEncoder: false,
      tilePixels: undefined,
    });
  });

  it("cuts the decoder's work before it lets the text encoder go", () => {
    const plan = planMemory(budget(fixed + encoder + 512 * 512 * 8e3), picture);

    expect(plan).toMatchObject({ releaseEncoder: false, tilePixels: 512 });
  });

  it("lets the text encoder go where that is what it takes", () => {
    const plan = planMemory(budget(fixed + 256 * 256 * 8e3), picture);

    expect(plan).toMatchObject({ fits: true, releaseEncoder: true, tilePixels: 256 });
  });

  it("never counts the text encoder where it is open in turn only", () => {
    const plan = planMemory(budget(64e9, { inTurn: true }), picture);

    expect(plan).toMatchObject({ releaseEncoder: true, needBytes: fixed + 1024 * 1024 * 8e3 });
  });

  it("says how much the smallest way needs where none fits", () => {
    const needBytes = fixed + 256 * 256 * 8e3;

    expect(planMemory(budget(needBytes - 1), picture)).toEqual({
      fits: false,
      needBytes,
      bytes: needBytes - 1,
    });
  });

  it("takes a flat picture's tile as it is", () => {
    const flat = { ...picture, width: 4096, height: 128 };
    const plan = planMemory(budget(fixed + encoder + 512 * 128 * 8e3), flat);

    expect(plan).toMatchObject({ tilePixels: 512 });
  });
});

test("what was learned counts for runs and not for weights, and ends at twice", () => {
  const need = (learned: number): number =>
    planMemory(budget(64e9, { learned }), picture).needBytes;

  expect(need(2) - need(1)).toBe(4128 * 3e5 + 1024 * 1024 * 8e3);
  let learned = 1;
  for (let next: number | undefined = 1; next !== undefined; next = learn(learned)) learned = next;
  expect(learned).toBeGreaterThan(1.9);
  expect(learned).toBeLessThanOrEqual(2);
});
