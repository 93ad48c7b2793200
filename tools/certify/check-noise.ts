/** Compares our noise with torch's for seeds at the ends of their range. */
import { drawNoise } from "@zfarm/zimage";
import { noiseBound } from "./bounds.ts";
import type { Line } from "./certificate.ts";
import { judge } from "./certificate.ts";
import { compareTensors } from "./compare.ts";
import type { TensorFile } from "./tensor-file.ts";

/** Counts of a picture of 1024 pixels a side, of a small one, and one that ends within a block. */
export const noiseSamples: readonly (readonly [seed: number, count: number])[] = [
  [0, 262_144],
  [42, 4_096],
  [4_294_967_295, 4_096],
  // torch's CPU generator looks at the low 32 bits: the noise of seed 1.
  [4_294_967_297, 1_000],
];

export async function checkNoise(recorded: TensorFile): Promise<Line[]> {
  const lines: Line[] = [];
  for (const [seed, count] of noiseSamples) {
    const measured = compareTensors(
      drawNoise(BigInt(seed), count),
      await recorded.get(`${seed}.${count}`),
    );
    const subject = `seed ${seed}, ${count} numbers`;
    lines.push(judge({ mode: "any", part: "noise", subject, measured, bound: noiseBound }));
  }
  return lines;
}
