import { describe, expect, it } from "vitest";
import { stepLatents } from "./euler.ts";

describe("stepLatents", () => {
  it("trap 8: negates the model's output", () => {
    const latents = Float32Array.of(1, -2);

    stepLatents(latents, { output: Float32Array.of(0.5, -0.5), sigma: 1, sigmaNext: 0.5 });

    // The step goes down in noise, so against the velocity and along the raw output.
    expect([...latents]).toEqual([1.25, -2.25]);
  });

  it("trap 16: rounds every operation to float32", () => {
    const latents = Float32Array.of(1 / 3);
    const [sigma, sigmaNext, output] = [0.9, 0.8333333, 1.2345678].map(Math.fround);

    stepLatents(latents, {
      output: Float32Array.of(output ?? 0),
      sigma: sigma ?? 0,
      sigmaNext: sigmaNext ?? 0,
    });

    const change = Math.fround((sigmaNext ?? 0) - (sigma ?? 0));
    const product = Math.fround(change * -(output ?? 0));
    expect(latents[0]).toBe(Math.fround(Math.fround(1 / 3) + product));
  });

  it("leaves the latents alone when the noise level stays", () => {
    const latents = Float32Array.of(0.1, 0.2, 0.3);

    stepLatents(latents, { output: Float32Array.of(9, 9, 9), sigma: 0.5, sigmaNext: 0.5 });

    expect(latents).toEqual(Float32Array.of(0.1, 0.2, 0.3));
  });
});
