/** Guards: what a model must not give, found before it becomes a picture that looks valid. */
import { ModelError } from "../errors.ts";
import type { Pixels } from "../image/pixels.ts";
import { findNotFinite } from "../weights/quantize.ts";

/** OUTPUT_INVALID, naming the step, when a prediction holds NaN or infinity. */
export function checkPrediction(output: Float32Array, step: number): void {
  if (findNotFinite(output) < 0) return;
  const message = `the transformer gave a number that is not finite in step ${step}`;
  throw new ModelError("OUTPUT_INVALID", message, { field: "latents" });
}

/**
 * OUTPUT_INVALID when the decoder gave NaN or infinity, or when every pixel has one colour, which
 * is how broken numerics look after rounding. Gives the picture back.
 */
export function checkPicture(pixels: Pixels, image: Float32Array, stepsDone: number): Pixels {
  if (findNotFinite(image) >= 0) {
    const message = `the decoder gave a number that is not finite after step ${stepsDone}`;
    throw new ModelError("OUTPUT_INVALID", message, { field: "pixels" });
  }
  const [red = 0, green = 0, blue = 0] = pixels.data;
  if (isOneColour(pixels.data, [red, green, blue])) {
    const colour = `rgb(${red}, ${green}, ${blue})`;
    const message = `the picture is blank after step ${stepsDone}: every pixel is ${colour}`;
    throw new ModelError("OUTPUT_INVALID", message, { field: "pixels" });
  }
  return pixels;
}

/** Ends at the first pixel that differs, so for a picture it costs nothing. */
function isOneColour(data: Uint8Array, colour: readonly [number, number, number]): boolean {
  for (let at = 0; at < data.length; at += 1) {
    if (data[at] !== colour[at % 3]) return false;
  }
  return true;
}
