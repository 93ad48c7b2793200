/** Small JPEG files for previews: a few kilobytes, encoded off the main thread. */
import sharp from "sharp";
import type { Pixels } from "./pixels.ts";

const quality = 70;

/** A JPEG of the pixels, its longer side scaled to `side` pixels; it says nothing of its origin. */
export async function encodeJpeg(pixels: Pixels, side: number): Promise<Uint8Array> {
  const { width, height, data } = pixels;
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: side, height: side, fit: "inside", kernel: "cubic" })
    .jpeg({ quality })
    .toBuffer();
}
