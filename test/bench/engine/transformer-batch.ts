/** A batch of one picture size with made-up contents, as the transformer takes it. */
import type { LoraStack, TransformerBatch } from "@zfarm/zimage";

const channels = 16;
const captionDim = 2560;
const captionTokens = 20;
/** Pixels of a latent cell's side. */
const factor = 8;

export function batchOf(side: number, stacks: readonly LoraStack[] = [[]]): TransformerBatch {
  const cells = side / factor;
  return {
    height: cells,
    width: cells,
    latents: stacks.map((_, at) => waves(channels * cells * cells, at + 1)),
    captions: stacks.map((_, at) => ({
      data: waves(captionTokens * captionDim, at + 3),
      length: captionTokens,
    })),
    times: stacks.map(() => 0.3),
    loras: stacks,
  };
}

function waves(count: number, phase: number): Float32Array {
  return Float32Array.from({ length: count }, (_, at) => 1.4 * Math.sin(12.9898 * at + phase));
}
