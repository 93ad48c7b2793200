import { describe, expect, test } from "vitest";
import type { LinearSpec } from "../graph/linear.ts";
import {
  checkAdapter,
  type LoraAdapter,
  LoraFeeder,
  type LoraInputs,
  ranksOf,
  ranksTaken,
} from "./lora-batch.ts";
import { productRanks } from "./lora-kronecker.ts";
import { layOutAdapter } from "./lora-layout.ts";

const target: LinearSpec = { name: "layer", in: 2, out: 3 };

const inputs = { loraTargets: [target], loraSupport: "pairs" } as const;

/** An adapter of rank 1 whose factors are one number. */
function adapter(id: string, value: number): LoraAdapter {
  const down = new Float32Array(2).fill(value);
  const up = new Float32Array(3).fill(10 * value);
  return { id, modules: new Map([["layer", { rank: 1, scale: 0.5, down, up }]]) };
}

const [first, second] = [adapter("a", 1), adapter("b", 2)];

test("samples without adapters are fed at rank 0", () => {
  const feeds = new LoraFeeder(inputs, 1_000_000).feeds([[], []]);

  expect(feeds["lora.layer.A"]?.dims).toEqual([1, 2, 0]);
  expect(feeds["lora.layer.scale"]?.dims).toEqual([2, 1, 1, 1]);
  expect(feeds["lora.layer.B"]?.dims).toEqual([0, 3]);
});

test("factors are turned from the layout of files and padded with zeros", () => {
  const down = Float32Array.of(1, 2, 3, 4);
  const up = Float32Array.of(5, 6, 7, 8, 9, 10);
  const modules = new Map([["layer", { rank: 2, scale: 1, down, up }]]);
  const feeds = new LoraFeeder(inputs, 1_000_000).feeds([
    [{ adapter: { id: "a", modules }, strength: 1 }],
  ]);

  expect([...(feeds["lora.layer.A"]?.data.slice(0, 3) ?? [])]).toEqual([1, 3, 0]);
  expect([...(feeds["lora.layer.A"]?.data.slice(16, 19) ?? [])]).toEqual([2, 4, 0]);
  expect([...(feeds["lora.layer.B"]?.data.slice(0, 7) ?? [])]).toEqual([5, 7, 9, 6, 8, 10, 0]);
});

test("each sample scales its own adapters and silences the others", () => {
  const feeds = new LoraFeeder(inputs, 1_000_000).feeds([
    [{ adapter: second, strength: 0.5 }],
    [],
    [
      { adapter: first, strength: 2 },
      { adapter: second, strength: 1 },
    ],
  ]);

  expect([...(feeds["lora.layer.scale"]?.data ?? [])]).toEqual([0, 0.25, 0, 0, 1, 0.5]);
});

test("the order of adapters is that of their ids, whoever uses them first", () => {
  const feeder = new LoraFeeder(inputs, 1_000_000);
  const uses = [first, second].map((one) => ({ adapter: one, strength: 1 }));
  const forth = feeder.feeds([uses]);
  const back = feeder.feeds([uses.toReversed()]);

  expect(back["lora.layer.A"]?.data).toEqual(forth["lora.layer.A"]?.data);
  expect(forth["lora.layer.B"]?.data[0]).toBe(10);
});

test("the steps of a picture share the joined factors", () => {
  const feeder = new LoraFeeder(inputs, 1_000_000);
  const stack = [first, second].map((one) => ({ adapter: one, strength: 1 }));

  expect(feeder.feeds([stack])["lora.layer.A"]?.data).toBe(
    feeder.feeds([stack, []])["lora.layer.A"]?.data,
  );
});

test("an adapter takes its largest module's rank in whole groups", () => {
  const factors = { scale: 1, down: new Float32Array(), up: new Float32Array() };
  const modules = new Map([
    ["narrow", { ...factors, rank: 4 }],
    ["wide", { ...factors, rank: 17 }],
  ]);

  expect(ranksTaken({ id: "a", modules })).toBe(32);
  expect(ranksTaken({ id: "b", modules: new Map() })).toBe(0);
});

test("an adapter that several samples use counts its ranks once", () => {
  const stacks = [[first, second], [first], []].map((stack) =>
    stack.map((one) => ({ adapter: one, strength: 1 })),
  );

  expect(ranksOf(stacks)).toBe(32);
  expect(ranksOf([])).toBe(0);
});

test("an adapter laid out ahead is fed as it lies, with the same values", () => {
  const adapter = layOutAdapter(first);
  const [laidOut, asRead] = [adapter, first].map((one) =>
    new LoraFeeder(inputs, 0).feeds([[{ adapter: one, strength: 1 }]]),
  );

  expect(laidOut).toEqual(asRead);
  expect(laidOut?.["lora.layer.A"]?.data).toBe(adapter.modules.get("layer")?.down);
  expect(() => checkAdapter(adapter, new Map([["layer", target]]))).not.toThrow();
});

describe("Kronecker products", () => {
  const both = {
    loraTargets: [{ name: "layer", in: 4, out: 6 }],
    loraSupport: "pairs and products",
  };
  const product = (id: string, value: number): LoraAdapter => {
    const sizes = { first: { rows: 3, columns: 2 }, second: { rows: 2, columns: 2 } };
    const factors = new Float32Array(10).fill(value);
    const products = new Map([["layer", { ...sizes, factors, scale: 0.5 }]]);
    return { id, modules: new Map(), products };
  };
  const feed = (...adapters: readonly LoraAdapter[]) =>
    new LoraFeeder(both as LoraInputs, 1_000).feeds([
      adapters.map((one) => ({ adapter: one, strength: 2 })),
    ]);

  test("are fed one after another in the order of ids, with where each one lies", () => {
    const feeds = feed(product("b", 7), product("a", 5));

    expect(feeds["lora.kronecker"]?.data).toEqual(Uint8Array.of(1));
    expect(feeds["lora.layer.kronecker.scale"]).toEqual({ data: Float32Array.of(1, 1), dims: [2] });
    expect([...(feeds["lora.layer.kronecker.factors"]?.data ?? [])].slice(9, 11)).toEqual([5, 7]);
    const { data, dims } = feeds["lora.layer.kronecker.layout"] ?? {};
    expect(dims).toEqual([2, 12]);
    expect([...(data ?? [])].map(Number)).toEqual(
      [0, 10].flatMap((start) => [start, start + 6, start + 10, 3, 2, 2, 2, -1, 2, -1, 2, 2]),
    );
  });

  test("are switched off in a run that has none", () => {
    const feeds = feed();

    expect(feeds["lora.kronecker"]?.data).toEqual(Uint8Array.of(0));
    expect(feeds["lora.layer.kronecker.factors"]?.dims).toEqual([0]);
    expect(feeds["lora.layer.kronecker.layout"]?.dims).toEqual([0, 12]);
  });

  test.each([
    ["near the root of the width", [60, 60, 64, 64], 64],
    ["of factor 16", [16, 16, 240, 240], 128],
    ["of factor 4, which takes as long as 482 ranks", [4, 4, 960, 960], 128],
  ])("%s count as the ranks that take as long, up to a whole run", (_, sizes, ranks) => {
    const [a = 0, b = 0, c = 0, d = 0] = sizes;

    const first = { rows: a, columns: b };
    expect(productRanks({ first, second: { rows: c, columns: d } })).toBe(ranks);
  });
});
