import { expect, test } from "vitest";
import { checkPicture, checkPrediction } from "./check-output.ts";
import { denoiseStep } from "./denoise.ts";

const pixels = (...data: number[]) => ({
  width: data.length / 3,
  height: 1,
  data: Uint8Array.from(data),
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "a prediction with %d is refused, naming the step",
  (value) => {
    const bad = Float32Array.of(1, value, 2);

    expect(() => checkPrediction(bad, 3)).toThrow(
      expect.objectContaining({
        code: "OUTPUT_INVALID",
        message: expect.stringContaining("step 3"),
      }),
    );
  },
);

test("a picture of one colour is refused, naming colour and step", () => {
  const blank = pixels(1, 2, 3, 1, 2, 3);

  expect(() => checkPicture(blank, new Float32Array(6), 8)).toThrow(
    "blank after step 8: every pixel is rgb(1, 2, 3)",
  );
});

test("a decoder that gives NaN is refused, whatever colour that would be", () => {
  const picture = pixels(1, 2, 3, 4, 5, 6);

  expect(() => checkPicture(picture, Float32Array.of(Number.NaN), 8)).toThrow("not finite");
  expect(checkPicture(picture, new Float32Array(6), 8)).toBe(picture);
});

test("no sample of a batch changes when one prediction is bad", async () => {
  const sample = () => ({
    latents: Float32Array.of(1, 2),
    latentHeight: 1,
    latentWidth: 2,
    caption: { data: new Float32Array(1), length: 1 },
    sigmas: Float32Array.of(1, 0.5, 0),
    stepsDone: 0,
  });
  const batch = [sample(), sample()];
  const predict = () => Promise.resolve([Float32Array.of(1, 1), Float32Array.of(1, Number.NaN)]);

  await expect(denoiseStep({ predict }, batch)).rejects.toMatchObject({ code: "OUTPUT_INVALID" });
  expect(batch).toEqual([sample(), sample()]);
});
