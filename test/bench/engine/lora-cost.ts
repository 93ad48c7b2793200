/**
 * What adapters cost at the released width: the same step with none, with rank 16 and 64, with
 * Kronecker products of whole matrices, and four different stacks in one batch against four equal
 * ones; and a step without adapters in a graph that has no inputs for products. Rounds are
 * interleaved.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  expectedTransformerTensors,
  openTensorIndex,
  openTransformer,
  releasedTransformer,
  type TransformerBatch,
} from "@zfarm/zimage";
import type { EngineBench } from "../engine.ts";
import { median } from "../percentiles.ts";
import { adapterOf, productsOf } from "./made-up-adapter.ts";
import { writeMadeUpWeights } from "./made-up-weights.ts";
import { round, timed } from "./stopwatch.ts";
import { batchOf } from "./transformer-batch.ts";

/** Two blocks are enough: every block costs the same. */
const config = { ...releasedTransformer, layers: 2, refinerLayers: 0 };
const rounds = 9;
export async function benchLoraCost({ threads }: EngineBench): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const shapes = expectedTransformerTensors(config).required;
    await writeMadeUpWeights(folder, shapes, "int4");
    const { index } = await openTensorIndex({ folder, stem: "model", prepared: true });
    await using stack = new AsyncDisposableStack();
    const options = { threads, conversion: "run" } as const;
    const transformer = await openTransformer(config, index, options);
    stack.defer(() => transformer.close());
    const pairsOnly = await openTransformer(config, index, { ...options, loraSupport: "pairs" });
    stack.defer(() => pairsOnly.close());
    const of = (rank: number, id = `rank ${rank}`) => [
      { adapter: adapterOf(config, id, rank), strength: 1 },
    ];
    const [sixteen, sixtyFour] = [of(16), of(64)];
    const equal = Array.from({ length: 4 }, () => sixteen);
    const different = ["a", "b", "c", "d"].map((id) => of(16, id));
    const cases = {
      none: batchOf(256),
      rank16: batchOf(256, [sixteen]),
      rank64: batchOf(256, [sixtyFour]),
      equalStacks: batchOf(256, equal),
      differentStacks: batchOf(256, different),
      products: batchOf(256, [[{ adapter: productsOf(config, "near root"), strength: 1 }]]),
      productsOfEight: batchOf(256, [[{ adapter: productsOf(config, "of 8", 8), strength: 1 }]]),
      noneInPairsOnly: batchOf(256),
    };
    const seconds = await coreSecondsOf(cases, (batch) =>
      (batch === cases.noneInPairsOnly ? pairsOnly : transformer).predict(batch),
    );
    return {
      coreSecondsOfTwoBlocks: seconds,
      rank16OverNone: round(seconds.rank16 / seconds.none),
      rank64OverNone: round(seconds.rank64 / seconds.none),
      differentOverEqual: round(seconds.differentStacks / seconds.equalStacks),
      productsOverNone: round(seconds.products / seconds.none),
      productsOfEightOverNone: round(seconds.productsOfEight / seconds.none),
      noneOverNoneInPairsOnly: round(seconds.none / seconds.noneInPairsOnly),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Medians over rounds in which the cases take turns. */
async function coreSecondsOf<Name extends string>(
  cases: Readonly<Record<Name, TransformerBatch>>,
  run: (batch: TransformerBatch) => Promise<unknown>,
): Promise<Record<Name, number>> {
  const names = Object.keys(cases) as Name[];
  const all: { readonly name: Name; readonly coreSeconds: number }[] = [];
  // The first use of an adapter lays it out.
  for (const name of names) await run(cases[name]);
  for (const name of Array.from({ length: rounds }, () => names).flat()) {
    const [, { coreSeconds }] = await timed(() => run(cases[name]));
    all.push({ name, coreSeconds });
  }
  const of = (name: Name): number =>
    median(all.filter((one) => one.name === name).map(({ coreSeconds }) => coreSeconds));
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, number>;
}
