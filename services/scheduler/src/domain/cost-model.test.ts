import { defaultPool, limits, type PoolId } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { type CostKey, CostModel } from "./cost-model.ts";

/** A picture of one megapixel and eight steps without adapters in the default pool. */
function keyOf(options: Partial<CostKey> = {}): CostKey {
  return { pool: defaultPool, shape: "1000x1000x8", lora: "none", ...options };
}

/** A model that has learnt this so often. */
function taught(actualMs: number, options: Partial<CostKey> = {}, times = 20): CostModel {
  const model = new CostModel();
  for (let time = 0; time < times; time += 1) model.learn(keyOf(options), actualMs);
  return model;
}

describe("the predicted cost of a task", () => {
  test("follows pixels and steps before anything is known", () => {
    const model = new CostModel();

    expect(model.predict(keyOf())).toBe(8 * limits.costMsPerMegapixelStep);
    expect(model.predict(keyOf({ shape: "2000x1000x4" }))).toBe(
      model.predict(keyOf({ shape: "1000x1000x8" })),
    );
  });

  test("is what such a task has cost", () => {
    expect(taught(500).predict(keyOf())).toBeCloseTo(500);
  });

  test("scales by what the pool needed for other shapes", () => {
    const model = taught(4_000);

    expect(model.predict(keyOf({ shape: "500x1000x8" }))).toBeCloseTo(2_000);
    expect(model.predict(keyOf({ pool: "fast" as PoolId }))).toBe(
      8 * limits.costMsPerMegapixelStep,
    );
  });

  test("takes the first outcome of a pool at its word", () => {
    expect(taught(70_000, {}, 1).predict(keyOf())).toBeCloseTo(70_000);
  });

  test("takes a guided picture for twice the work of another", () => {
    const model = new CostModel();
    model.learn(keyOf(), 1_000);

    expect(model.predict(keyOf({ shape: "1000x1000x8x2" }))).toBeCloseTo(2_000);
  });

  test("tells the states of adapters apart, and knows their ratio for other shapes", () => {
    const model = taught(1_000);
    for (let time = 0; time < 30; time += 1) model.learn(keyOf({ lora: "cold" }), 3_000);
    const other = keyOf({ shape: "500x500x8" });
    for (let time = 0; time < 30; time += 1) model.learn(other, 400);

    expect(model.predict(keyOf({ lora: "cold" }))).toBeCloseTo(3_000, -2);
    expect(model.predict(keyOf({ lora: "warm" }))).toBeCloseTo(1_000);
    expect(model.predict({ ...other, lora: "cold" }) / 400).toBeGreaterThan(1.5);
  });

  test("is hardly moved by one absurd outcome", () => {
    const model = taught(500);

    const error = model.learn(keyOf(), 50_000);

    expect(error).toBeCloseTo(99);
    expect(model.predict(keyOf())).toBeLessThan(600);
  });

  test("follows a lasting change within 20 outcomes", () => {
    const model = taught(500);

    for (let time = 0; time < 20; time += 1) model.learn(keyOf(), 1_500);

    expect(model.predict(keyOf())).toBeGreaterThan(1_300);
  });

  test("stays a sane number whatever workers say and shapes look like", () => {
    const model = new CostModel();
    for (const actualMs of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
      model.learn(keyOf({ shape: "" }), actualMs);
      for (const shape of ["", "x", "1x1x1", "1000x1000x8"]) {
        const predicted = model.predict(keyOf({ shape }));
        expect(predicted).toBeGreaterThanOrEqual(limits.costMsMin);
        expect(predicted).toBeLessThanOrEqual(limits.costMsMax);
      }
    }
  });

  test("remembers a bounded number of shapes, those learnt last", () => {
    const model = taught(1_000);
    for (let width = 1; width <= limits.costShapesMax; width += 1) {
      model.learn(keyOf({ shape: `${width}x500x8` }), 9_000);
    }

    expect(model.predict(keyOf())).not.toBeCloseTo(1_000, -2);
    expect(model.predict(keyOf({ shape: `${limits.costShapesMax}x500x8` }))).toBeGreaterThan(1_500);
  });
});

describe("the spread of a cost", () => {
  test("has a default, and is then learnt", () => {
    const model = taught(1_000, {}, 2);
    expect(model.spread(keyOf())).toBe(limits.costSpreadDefault);

    for (let time = 0; time < 50; time += 1) model.learn(keyOf(), 1_000 + (time % 2) * 50);

    expect(model.spread(keyOf())).toBeLessThan(1.2);
    expect(model.spread(keyOf())).toBeGreaterThan(1);
  });
});
