/** The noise a picture starts from: what `torch.randn` draws on the CPU for the same seed. */
import { invariant } from "../invariant.ts";
import { MersenneTwister } from "./mersenne-twister.ts";

/** Torch's Box-Muller transform works on blocks of 16: eight radii and eight angles. */
const block = 16;
const half = block / 2;
/** A uniform number has the 24 bits that a float32 can tell apart. */
const uniformMask = 0xffffff;
const uniformStep = 2 ** -24;
const fullTurn = Math.fround(2 * Math.PI);

/**
 * `count` normal numbers, float32, as `torch.randn(count, generator=torch.Generator().manual_seed(
 * seed))`; equal to 5e-7, the rest being the last bit of two mathematics libraries.
 *
 * Seeds have 64 bits but torch's CPU generator keys on the low 32, so seeds that differ by a
 * multiple of 2^32 draw the same noise. Numbers on CUDA devices differ and are not meant here.
 *
 * @param count at least 16: below that torch uses another method.
 */
export function drawNoise(seed: bigint, count: number): Float32Array {
  invariant(count >= block, `noise of ${count} values; at least ${block}`);
  const twister = new MersenneTwister(Number(BigInt.asUintN(32, seed)));
  const values = new Float32Array(count);
  // All uniform numbers come first, then they are transformed in place.
  for (let at = 0; at < count; at += 1) values[at] = uniform(twister);
  for (let at = 0; at + block <= count; at += block) {
    transformBlock(values.subarray(at, at + block));
  }
  if (count % block !== 0) {
    const last = values.subarray(count - block);
    for (let at = 0; at < block; at += 1) last[at] = uniform(twister);
    transformBlock(last);
  }
  return values;
}

function uniform(twister: MersenneTwister): number {
  return (twister.next() & uniformMask) * uniformStep;
}

/** Every operation is rounded to float32, as torch computes it. */
function transformBlock(values: Float32Array): void {
  for (let at = 0; at < half; at += 1) {
    const radiusUniform = Math.fround(1 - (values[at] ?? 0));
    const logarithm = Math.fround(Math.log(radiusUniform));
    const radius = Math.fround(Math.sqrt(Math.fround(-2 * logarithm)));
    const angle = Math.fround(fullTurn * (values[at + half] ?? 0));
    values[at] = radius * Math.fround(Math.cos(angle));
    values[at + half] = radius * Math.fround(Math.sin(angle));
  }
}
