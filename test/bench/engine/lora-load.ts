/** From an adapter's file to an adapter that runs can use, and swaps between adapters in memory. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  expectedTransformerTensors,
  type LoraStack,
  openTensorIndex,
  openTransformer,
  releasedTransformer,
} from "@zfarm/zimage";
import {
  loraArchitectureOf,
  loraTargetsOf,
  readLoraForRuns,
  withFileSource,
} from "@zfarm/zimage/lora";
import type { EngineBench } from "../engine.ts";
import { percentiles } from "../percentiles.ts";
import { adapterOf, writeMadeUpAdapter } from "./made-up-adapter.ts";
import { writeMadeUpWeights } from "./made-up-weights.ts";
import { median, timed } from "./stopwatch.ts";
import { batchOf } from "./transformer-batch.ts";

/** Rank 32 on the eight Linears of every main layer, as ai-toolkit trains it: 170 MB. */
const rank = 32;
const loads = 5;
const swaps = 100;
const narrow = { ...releasedTransformer, dim: 64, heads: 2, axesDims: [16, 8, 8] as const };

export async function benchLoraLoad({ threads }: EngineBench): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const architecture = loraArchitectureOf(releasedTransformer);
    const targets = loraTargetsOf(architecture).filter(({ name }) => name.startsWith("layers."));
    const path = join(folder, "adapter.safetensors");
    const fileBytes = await writeMadeUpAdapter(path, targets, rank);
    const seconds: number[] = [];
    for (let at = 0; at < loads; at += 1) {
      const load = () => withFileSource(path, (source) => readLoraForRuns(source, architecture));
      const [, took] = await timed(load);
      seconds.push(took.seconds);
    }
    return {
      fileMb: Math.round(fileBytes / 1e6),
      modules: targets.length,
      loadSeconds: median(seconds),
      loadSecondsOfEach: seconds,
      swap: await benchSwaps(folder, threads),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * A step with another adapter than the last beside a step with the same one, in a network of the
 * released depth and almost no width: handing adapters over costs by module, not by size, because
 * factors are read where they lie.
 */
async function benchSwaps(folder: string, threads: number): Promise<object> {
  const shapes = expectedTransformerTensors(narrow).required;
  await writeMadeUpWeights(folder, shapes, "bf16");
  const { index } = await openTensorIndex({ folder, stem: "model", prepared: true });
  const transformer = await openTransformer(narrow, index, { threads });
  const stacks = ["one", "other"].map((id) => [
    { adapter: adapterOf(narrow, id, rank), strength: 1 },
  ]);
  const step = async (stack: LoraStack): Promise<number> => {
    const [, took] = await timed(() => transformer.predict(batchOf(64, [stack])));
    return took.seconds * 1e3;
  };
  const swapped: number[] = [];
  const same: number[] = [];
  for (let at = 0; at < 2 * swaps; at += 1) {
    const stack = stacks[at % 2] ?? [];
    swapped.push(await step(stack));
    same.push(await step(stack));
  }
  await transformer.close();
  // The first use of each lays its factors out, which loading did for adapters from files.
  const [afterSwap, afterSame] = [swapped.slice(4), same.slice(4)];
  return {
    swappedStepMs: percentiles(afterSwap),
    sameStepMs: percentiles(afterSame),
    swapMs: percentiles(afterSwap.map((ms, at) => ms - (afterSame[at] ?? 0))),
  };
}
