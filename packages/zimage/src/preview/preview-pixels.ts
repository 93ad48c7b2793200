/** A small picture of what a render will be, from its latents as they are now. */
import type { Pixels } from "../image/pixels.ts";
import type { Denoising } from "../sampler/denoise.ts";
import type { ColourMap } from "./colour-map.ts";

/**
 * One pixel a latent cell. Where the last prediction is known, the noise that it still sees is
 * taken out: the picture is where the model is heading, not where it is.
 */
export function previewPixels(sample: Denoising, map: ColourMap): Pixels {
  const { latents, lastOutput, latentWidth: width, latentHeight: height } = sample;
  const cells = width * height;
  const channels = latents.length / cells;
  const sigma = sample.sigmas[sample.stepsDone] ?? 0;
  const data = new Uint8Array(3 * cells);
  for (const [colour, weights] of map.entries()) {
    const sums = new Float64Array(cells).fill(weights[0] ?? 0);
    for (let channel = 0; channel < channels; channel += 1) {
      const weight = weights[channel + 1] ?? 0;
      const start = channel * cells;
      for (let cell = 0; cell < cells; cell += 1) {
        const noise = lastOutput === undefined ? 0 : sigma * (lastOutput[start + cell] ?? 0);
        sums[cell] = (sums[cell] ?? 0) + weight * ((latents[start + cell] ?? 0) + noise);
      }
    }
    for (let cell = 0; cell < cells; cell += 1) data[cell * 3 + colour] = toByte(sums[cell] ?? 0);
  }
  return { width, height, data };
}

function toByte(brightness: number): number {
  return Math.round(255 * Math.min(1, Math.max(0, brightness)));
}
