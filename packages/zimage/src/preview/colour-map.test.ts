import { describe, expect, test } from "vitest";
import { drawNoise } from "../sampler/noise.ts";
import { fitColours } from "./colour-map.ts";
import { previewPixels } from "./preview-pixels.ts";

const size = { channels: 2, side: 8, factor: 2 };
const cells = size.side * size.side;

/** A decoder that is affine: red = 0.5 + 0.1 a, green = 0.4 - 0.05 b, blue = 0.3. */
function decode(latent: Float32Array): Float32Array {
  const width = size.side * size.factor;
  const image = new Float32Array(3 * width * width);
  for (let at = 0; at < width * width; at += 1) {
    const cell = Math.floor(Math.floor(at / width) / 2) * size.side + Math.floor((at % width) / 2);
    const units = [0.5 + 0.1 * (latent[cell] ?? 0), 0.4 - 0.05 * (latent[cells + cell] ?? 0), 0.3];
    for (const [colour, unit] of units.entries()) image[colour * width * width + at] = 2 * unit - 1;
  }
  return image;
}

describe("the colours of latents", () => {
  const latent = drawNoise(3n, size.channels * cells);
  const map = fitColours({ latent, image: decode(latent) }, size);

  test("are found where the decoder is affine", () => {
    for (const [colour, wanted] of [
      [0.5, 0.1, 0],
      [0.4, 0, -0.05],
      [0.3, 0, 0],
    ].entries()) {
      for (const [at, value] of wanted.entries()) {
        expect(map[colour]?.[at]).toBeCloseTo(value, 2);
      }
    }
  });

  test("show where the model is heading, without the noise that is still there", () => {
    const clean = drawNoise(4n, size.channels * cells);
    const noise = drawNoise(5n, size.channels * cells);
    const sizes = { latentWidth: 8, latentHeight: 8, caption: { data: clean, length: 1 } };
    const done = { ...sizes, latents: clean, sigmas: Float32Array.of(1, 0), stepsDone: 1 };
    const half = {
      ...sizes,
      latents: clean.map((value, at) => 0.6 * value + 0.4 * (noise[at] ?? 0)),
      sigmas: Float32Array.of(1, 0.4, 0),
      stepsDone: 1,
      // Exact where the model knows the picture: clean minus noise.
      lastOutput: clean.map((value, at) => value - (noise[at] ?? 0)),
    };

    const [early, late] = [previewPixels(half, map), previewPixels(done, map)];

    expect(early).toMatchObject({ width: 8, height: 8 });
    const worst = early.data.map((byte, at) => Math.abs(byte - (late.data[at] ?? 0)));
    expect(Math.max(...worst)).toBeLessThanOrEqual(1);
  });
});
