/** The decoder's output as pixels. */
import { invariant } from "../invariant.ts";

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** RGB, row-major, 3 bytes a pixel. */
  readonly data: Uint8Array;
}

const channels = 3;

/**
 * Pixels of one decoded picture: y = clamp(x / 2 + 0.5, 0, 1), then 255 y rounded, half to even.
 * @param image float32, [3, height, width], about -1 to 1.
 */
export function toPixels(image: Float32Array, size: { width: number; height: number }): Pixels {
  const { width, height } = size;
  const plane = width * height;
  invariant(image.length === channels * plane, "an image has three planes of its size");
  const data = new Uint8Array(channels * plane);
  for (let at = 0; at < plane; at += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      data[at * channels + channel] = toByte(image[channel * plane + at] ?? 0);
    }
  }
  return { width, height, data };
}

/** Brightness 0 to 1 of one value of the decoder, float32. */
export function toUnit(value: number): number {
  const unit = Math.fround(Math.fround(value / 2) + 0.5);
  // Not a number becomes black: a clamp alone would let it through.
  return unit > 0 ? Math.min(unit, 1) : 0;
}

function toByte(value: number): number {
  return roundHalfToEven(Math.fround(toUnit(value) * 255));
}

/** Exported for its test: numpy's rounding, which no function of JavaScript has. */
export function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}
