import { describe, expect, it } from "vitest";
import type { Guidance, ImageSpec } from "./gen/zfarm/v1/image.ts";
import { shapeOf } from "./shape.ts";

const image = (guidance?: Guidance): ImageSpec => ({
  prompt: "a red house",
  width: 1024,
  height: 768,
  steps: 50,
  seed: 1n,
  loras: [],
  guidance,
});
const guidance = { scale: 4, negativePrompt: "", normalization: 0, truncation: 1 };

describe("shapeOf", () => {
  it("is equal for tasks of one size and number of steps, whatever they show", () => {
    expect(shapeOf(image())).toBe("1024x768x50");
    expect(shapeOf({ ...image(), prompt: "a tent", seed: 2n })).toBe(shapeOf(image()));
  });

  it("keeps tasks that run the model twice a step apart from those that do not", () => {
    expect(shapeOf(image(guidance))).toBe("1024x768x50x2");
    expect(shapeOf(image({ ...guidance, scale: 0 }))).toBe("1024x768x50");
  });
});
