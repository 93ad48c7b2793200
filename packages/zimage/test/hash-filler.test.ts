import { describe, expect, it } from "vitest";
import { fillInput, fillWeight, hashName } from "./hash-filler.ts";

function expectStart(actual: Float32Array, expected: readonly number[]): void {
  for (const [at, value] of expected.entries()) expect(actual[at]).toBeCloseTo(value, 6);
}

describe("hash filler", () => {
  it("hashes a name as FNV-1a does", () => {
    expect(hashName("layers.0.attention.to_q.weight")).toBe(0x877d3612);
  });

  it("fills every kind of tensor with the published values", () => {
    const linear = fillWeight("layers.0.attention.to_q.weight", [32, 32]);
    const norm = fillWeight("layers.0.attention_norm1.weight", [32]);
    const pad = fillWeight("x_pad_token", [1, 32]);

    expectStart(linear, [0.24684332, -0.08874042, -0.1613379, -0.00246385]);
    expectStart(norm, [1.0809634, 0.9476984, 1.0983585]);
    expectStart(pad, [-0.3173985, -0.1985724, -0.254536]);
  });

  it("fills inputs with a variance of one", () => {
    const latents = fillInput("input.latents.A", 4096);

    expectStart(latents, [1.5369706, -1.223737, -1.5977571, -1.4544243]);
    const squares = latents.reduce((sum, value) => sum + value * value, 0);
    expect(squares / latents.length).toBeCloseTo(1, 1);
  });
});
