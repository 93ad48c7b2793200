import { expect, test } from "vitest";
import { tinyAdapter, tinyProducts } from "../../test/tiny-networks.ts";
import { fitOneRun, planRuns } from "./run-plan.ts";

const sample = (length: number, ...ranks: readonly number[]) => ({
  caption: { length },
  stack: ranks.map((rank) => ({
    adapter: tinyAdapter(`of rank ${rank}`, ["layers.0.attention.to_q"], { rank }),
    strength: 1,
  })),
});

test("captions of one padded length share a run", () => {
  expect(planRuns([sample(1), sample(32), sample(33), sample(20), sample(64)])).toEqual([
    [0, 1, 3],
    [2, 4],
  ]);
});

test("different adapters share a run up to 128 ranks, each rounded up to 16", () => {
  expect(planRuns([sample(1, 60), sample(1, 33), sample(1, 16), sample(1, 17)])).toEqual([
    [0, 1, 2],
    [3],
  ]);
});

test("an adapter counts once however many samples use it", () => {
  const samples = Array.from({ length: 9 }, () => sample(1, 100));

  expect(planRuns(samples)).toEqual([samples.map((_, index) => index)]);
});

test("a stack over 128 ranks runs alone, also beside its own like", () => {
  expect(planRuns([sample(1, 129), sample(1, 129), sample(1)])).toEqual([[0], [1], [2]]);
});

test("a picture with Kronecker products runs alone, also beside its own like", () => {
  const adapter = tinyProducts("products", ["layers.0.attention.to_q"]);
  const withProducts = { caption: { length: 1 }, stack: [{ adapter, strength: 1 }] };

  expect(planRuns([sample(1), withProducts, sample(1), withProducts])).toEqual([[0, 2], [1], [3]]);
  expect(fitOneRun([withProducts.stack])).toBe(true);
  expect(fitOneRun([withProducts.stack, []])).toBe(false);
});

test("a run has no more rows than memory allows, and one sample at least", () => {
  const samples = [sample(1), sample(1), sample(1)];

  expect(planRuns(samples, { imageRows: 96, rowsMax: 256 })).toEqual([[0, 1], [2]]);
  expect(planRuns(samples, { imageRows: 96, rowsMax: 1 })).toEqual([[0], [1], [2]]);
});
