import { describe, expect, it, test } from "vitest";
import { baseBytes, learn, type MemoryBudget, planMemory } from "./memory-plan.ts";

const networks = {
  textEncoder: 2e9,
  transformer: 3e9,
  vae: 2e8,
  perRow: 3e5,
  perRowSquared: 0,
  perPixel: 8e3,
  perToken: 3e5,
};
const picture = { width: 1024, height: 1024, rows: 4128, tokens: 32 };
const budget = (bytes: number, change: Partial<MemoryBudget> = {}): MemoryBudget => ({
  bytes,
  networks,
  open: ["all", "two", "one"],
  learned: 1,
  ...change,
});
const transformer = 3e9 + 4128 * 3e5;
const fixed = baseBytes + transformer + 2e8;
const encoder = 2e9 + 32 * 3e5;

describe("planMemory", () => {
  it("draws whole with everything open where there is room", () => {
    expect(planMemory(budget(64e9), picture)).toEqual({
      fits: true,
      needBytes: fixed + encoder + 1024 * 1024 * 8e3,
      open: "all",
      tilePixels: undefined,
    });
  });

  it("cuts the decoder's work before it lets the text encoder go", () => {
    const plan = planMemory(budget(fixed + encoder + 512 * 512 * 8e3), picture);

    expect(plan).toMatchObject({ open: "all", tilePixels: 512 });
  });

  it("closes the text encoder before the transformer where that is what it takes", () => {
    const plan = planMemory(budget(fixed + 256 * 256 * 8e3), picture);

    expect(plan).toMatchObject({ fits: true, open: "two", tilePixels: 256 });
  });

  it("counts the larger of text encoder and transformer where those are never open at once", () => {
    const plan = planMemory(budget(64e9, { open: ["two", "one"] }), picture);
    const long = { ...picture, tokens: 20_000 };
    const reading = planMemory(budget(64e9, { open: ["two"] }), long);

    expect(plan).toMatchObject({ open: "two", needBytes: fixed + 1024 * 1024 * 8e3 });
    expect(reading).toMatchObject({
      needBytes: baseBytes + 2e9 + 20_000 * 3e5 + 2e8 + 1024 * 1024 * 8e3,
    });
  });

  it("opens one network at a time where that is what it takes, with larger tiles", () => {
    const plan = planMemory(budget(baseBytes + transformer), picture);

    expect(plan).toMatchObject({ fits: true, open: "one", tilePixels: 512 });
  });

  it("says how much the smallest way needs where none fits", () => {
    const needBytes = baseBytes + transformer;

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
