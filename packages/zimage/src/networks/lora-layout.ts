/** How the factors of an adapter lie in memory when the graph reads them. */
import { ranksPerGroup } from "../graph/linear.ts";
import type { LoraAdapter, LoraFactors } from "./lora-batch.ts";

/** The ranks of whole groups that hold `rank`. */
export function paddedRank(rank: number): number {
  return Math.ceil(rank / ranksPerGroup) * ranksPerGroup;
}

/**
 * The adapter as runs read it, in arrays of its own: the one conversion that its use costs. Made
 * ahead, for example on another thread, the first step with it costs nothing.
 */
export function layOutAdapter(adapter: LoraAdapter): LoraAdapter {
  const modules = [...adapter.modules].map(
    ([name, factors]) => [name, layOutFactors(factors)] as const,
  );
  return { ...adapter, modules: new Map(modules) };
}

/** Both factors with the rank outermost but for the 16 of a group, zeros behind the last rank. */
export function layOutFactors(factors: LoraFactors): LoraFactors {
  if (factors.layout === "run") return factors;
  const { rank, scale } = factors;
  const ranks = paddedRank(rank);
  const width = factors.down.length / rank;
  const out = factors.up.length / rank;
  const down = new Float32Array(ranks * width);
  const up = new Float32Array(ranks * out);
  for (let at = 0; at < rank; at++) {
    const group = Math.floor(at / ranksPerGroup) * width * ranksPerGroup;
    const column = at % ranksPerGroup;
    for (let from = 0; from < width; from++) {
      down[group + from * ranksPerGroup + column] = factors.down[at * width + from] ?? 0;
    }
    for (let to = 0; to < out; to++) up[at * out + to] = factors.up[to * rank + at] ?? 0;
  }
  return { rank, scale, down, up, layout: "run" };
}
