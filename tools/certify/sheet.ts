/** The pictures of a certificate: the reference's, ours, and their difference made visible. */
import type { Pixels, WeightMode } from "@zfarm/zimage";
import { composeSheet } from "../picture-sheet.ts";
import type { Recording } from "./drawing.ts";

/** Differences of one level in 255 cannot be seen; 64 times as much can. */
export const differenceGain = 64;

/** Our pictures by mode and drawing. */
export type ModePictures = ReadonlyMap<WeightMode, ReadonlyMap<string, Pixels>>;

/**
 * A row for each case and each stack of adapters. Columns: the reference, ours in float32, their
 * difference, ours in int8, in int4. bfloat16 is left out: it looks like float32.
 */
export async function pictureSheet(
  recordings: readonly Recording[],
  ours: ModePictures,
): Promise<Pixels> {
  const rows: Pixels[][] = [];
  for (const recording of recordings.filter((one) => one.way !== "merged")) {
    const of = (mode: WeightMode): Pixels | undefined =>
      ours.get(mode)?.get(recording.drawing.name);
    const [exact, ...packed] = [of("fp32"), of("int8"), of("int4")];
    if (exact === undefined) continue;
    const theirs = { ...exact, data: Uint8Array.from(await recording.pixels()) };
    const others = packed.filter((picture) => picture !== undefined);
    rows.push([theirs, exact, amplifiedDifference(exact, theirs), ...others]);
  }
  return composeSheet(rows);
}

function amplifiedDifference(ours: Pixels, theirs: Pixels): Pixels {
  const data = ours.data.map((byte, at) =>
    Math.min(255, differenceGain * Math.abs(byte - (theirs.data[at] ?? 0))),
  );
  return { ...ours, data };
}
