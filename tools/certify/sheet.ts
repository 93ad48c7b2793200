/** The pictures of a certificate: the reference's, ours, and their difference made visible. */
import type { Pixels } from "@zfarm/zimage";
import { composeSheet } from "../picture-sheet.ts";
import type { Recording } from "./drawing.ts";

/** Differences of one level in 255 cannot be seen; 64 times as much can. */
export const differenceGain = 64;

export async function pictureSheet(
  recordings: readonly Recording[],
  ours: ReadonlyMap<string, Pixels>,
): Promise<Pixels> {
  const rows: Pixels[][] = [];
  for (const recording of recordings) {
    const own = ours.get(recording.drawing.name);
    if (own === undefined) continue;
    const theirs = { ...own, data: Uint8Array.from(await recording.pixels()) };
    const data = own.data.map((byte, at) =>
      Math.min(255, differenceGain * Math.abs(byte - (theirs.data[at] ?? 0))),
    );
    rows.push([theirs, own, { ...own, data }]);
  }
  return composeSheet(rows);
}
