/**
 * Which pictures are compared: captions of one and of two buckets, a size with padding tokens,
 * and guidance, which distilled models do not want but which is the same arithmetic for them.
 */
import type { ModelInfo } from "@zfarm/zimage";
import type { Case } from "./certificate.ts";

/** Small enough for a CPU in float32, also with the released model. */
const sideMax = 256;

const long =
  "a painting of a blue sailboat on the right side and a yellow house on the left side on the " +
  "lake at sunset, with mountains in the background, the sky is wide and full of soft colours, " +
  "it looks like an old postcard from a long journey";

/** @param side of the square pictures in pixels, by default the model's own up to 256. */
export function certifiedCases(info: ModelInfo, side?: number): Case[] {
  const multiple = info.sizeMultiple;
  const square = side ?? Math.min(info.widthDefault, sideMax - (sideMax % multiple));
  const fifth = Math.max(multiple, Math.round(square / 4 / multiple) * multiple);
  const steps = info.stepsDefault;
  return [
    {
      name: "short",
      prompt: "a red house on the left in the snow at night",
      width: square,
      height: square,
      steps,
      seed: 7,
    },
    { name: "long", prompt: long, width: square, height: square, steps, seed: 11 },
    {
      name: "wide",
      prompt: "Green tent, right, desert, noon",
      width: square + fifth,
      height: square - fifth,
      steps,
      seed: 4_294_967_295,
    },
    {
      name: "guided",
      prompt: "a purple castle in the center in the desert at dawn",
      width: square,
      height: square,
      steps,
      seed: 5,
      guidance: { scale: 1.5, negativePrompt: "night", normalization: 1, truncation: 0.6 },
    },
  ];
}

export interface NamedText {
  /** Of its case, with `-negative` for what guidance leads away from. */
  readonly name: string;
  readonly prompt: string;
}

/** Every text that a case reads. */
export function textsOf({ name, prompt, guidance }: Case): NamedText[] {
  const own = { name, prompt };
  if (guidance === undefined) return [own];
  return [own, { name: negativeName(name), prompt: guidance.negativePrompt }];
}

export function negativeName(name: string): string {
  return `${name}-negative`;
}
