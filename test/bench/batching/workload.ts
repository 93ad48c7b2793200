/** Who arrives when: Poisson arrivals of a mix of pictures, the same for every loop compared. */
import type { RenderTask } from "../../../services/gpu-worker/src/engine/protocol.ts";

export interface Picture {
  readonly side: number;
  readonly steps: number;
  /** Its part of all arrivals. */
  readonly share: number;
}

export interface Arrival {
  readonly atMs: number;
  readonly task: RenderTask;
}

export interface Wishes {
  readonly mix: readonly Picture[];
  readonly count: number;
  /** Mean of the exponential gaps; 0: all are there from the start. */
  readonly gapMs: number;
  readonly seed: number;
}

const prompts = ["a red house", "a yellow boat on the sea", "a white tent at night", "two trees"];

export function arrivalsOf({ mix, count, gapMs, seed }: Wishes): Arrival[] {
  const random = createRandom(seed);
  let atMs = 0;
  return Array.from({ length: count }, (_, index) => {
    atMs -= gapMs * Math.log(1 - random());
    const { side, steps } = pick(mix, random());
    const prompt = prompts[index % prompts.length] ?? "";
    const size = { width: side, height: side };
    return { atMs, task: { task: `${index}`, prompt, ...size, steps, seed: BigInt(index) } };
  });
}

function pick(mix: readonly Picture[], at: number): Picture {
  let below = 0;
  for (const picture of mix) {
    below += picture.share;
    if (at < below) return picture;
  }
  return mix[0] ?? { side: 256, steps: 8, share: 1 };
}

/** Mulberry32: numbers from 0 to 1 that a seed decides. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
