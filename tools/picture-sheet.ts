/** Pictures side by side on white, as one PNG. */
import type { Pixels } from "@zfarm/zimage";
import sharp from "sharp";

const gap = 6;
const channels = 3;

/** Rows from the top, each from the left; pictures may have different sizes. */
export function composeSheet(rows: readonly (readonly Pixels[])[]): Pixels {
  const width = Math.max(...rows.map((row) => extent(row.map((picture) => picture.width))));
  const height = extent(rows.map(heightOf));
  const data = new Uint8Array(channels * width * height).fill(255);
  let top = 0;
  for (const row of rows) {
    let left = 0;
    for (const picture of row) {
      lay({ width, height, data }, picture, { left, top });
      left += picture.width + gap;
    }
    top += heightOf(row) + gap;
  }
  return { width, height, data };
}

/** @param scale of the file's sides, at most 1. */
export async function writeSheet(path: string, sheet: Pixels, scale = 1): Promise<void> {
  const { width, height, data } = sheet;
  await sharp(data, { raw: { width, height, channels } })
    .resize({ width: Math.round(scale * width) })
    .png({ compressionLevel: 9, adaptiveFiltering: true })
    .toFile(path);
}

function extent(sides: readonly number[]): number {
  return sides.reduce((sum, side) => sum + side, gap * (sides.length - 1));
}

function heightOf(row: readonly Pixels[]): number {
  return Math.max(...row.map((picture) => picture.height));
}

function lay(sheet: Pixels, picture: Pixels, at: { left: number; top: number }): void {
  const lineBytes = channels * picture.width;
  for (let y = 0; y < picture.height; y += 1) {
    const line = picture.data.subarray(y * lineBytes, (y + 1) * lineBytes);
    sheet.data.set(line, channels * ((at.top + y) * sheet.width + at.left));
  }
}
