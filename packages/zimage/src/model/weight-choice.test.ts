import { describe, expect, it, test } from "vitest";
import type { WeightDevice, WeightMode } from "./weight-choice.ts";
import { chooseWeights, modesOf, releasedParameters } from "./weight-choice.ts";

const small = { transformer: 30_000_000, textEncoder: 10_000_000, vae: 5_000_000 };
const gib = 1024 ** 3;
const every: readonly WeightMode[] = ["fp32", "bf16", "int8", "int4"];

describe("chooseWeights for the released model, prepared in every way", () => {
  it.each<[WeightDevice, number, WeightMode | undefined, string | undefined]>([
    ["cpu", 64, "fp32", "together"],
    ["cpu", 32, "int8", "together"],
    ["cpu", 16, "int8", "together"],
    ["cpu", 8, "int8", "in turn"],
    ["cpu", 7, "int4", "together"],
    ["cpu", 4.5, "int4", "in turn"],
    ["cpu", 4, "bf16", "together"],
    ["cpu", 1, undefined, undefined],
    ["cuda", 24, "bf16", "together"],
    ["cuda", 16, "bf16", "in turn"],
    ["cuda", 12, "int8", "together"],
    ["cuda", 8, "int8", "in turn"],
    ["cuda", 6, "int4", "in turn"],
    ["cuda", 2, undefined, undefined],
  ])("on %s with %d GiB takes %s, %s", (...[device, memory, mode, fits]) => {
    const { chosen } = chooseWeights({
      device,
      memoryBytes: memory * gib,
      parameters: releasedParameters,
      stored: every,
    });

    expect(chosen?.mode).toBe(mode);
    expect(chosen?.fits).toBe(fits);
  });
});

describe("chooseWeights", () => {
  it("says what to prepare where the directory itself does not fit", () => {
    const choice = chooseWeights({
      device: "cpu",
      memoryBytes: 16 * gib,
      parameters: releasedParameters,
      stored: modesOf("F32"),
    });

    expect(choice.chosen).toBeUndefined();
    expect(choice.better?.mode).toBe("int8");
  });

  it("takes the file as it is before float32 that would be read again for every prompt", () => {
    const choose = (stored: readonly WeightMode[]) =>
      chooseWeights({
        device: "cpu",
        memoryBytes: 32 * gib,
        parameters: releasedParameters,
        stored,
      });

    expect(choose(modesOf("BF16")).chosen).toMatchObject({ mode: "bf16", fits: "together" });
    expect(choose(modesOf("F32")).chosen).toMatchObject({ mode: "fp32", fits: "in turn" });
  });

  it("says what would be better where the directory fits another way", () => {
    const choice = chooseWeights({
      device: "cpu",
      memoryBytes: 16 * gib,
      parameters: releasedParameters,
      stored: modesOf("BF16"),
    });

    expect(choice.chosen?.mode).toBe("bf16");
    expect(choice.better?.mode).toBe("int8");
  });

  it("has nothing better for a small model that fits as it is", () => {
    const choice = chooseWeights({
      device: "cpu",
      memoryBytes: 4 * gib,
      parameters: small,
      stored: modesOf("F32"),
    });

    expect(choice.chosen).toMatchObject({ mode: "fp32", fits: "together" });
    expect(choice.better).toBeUndefined();
  });
});

test("a file runs as what it holds or as something wider", () => {
  expect(modesOf("F32")).toEqual(["fp32"]);
  expect(modesOf("BF16")).toEqual(["fp32", "bf16"]);
  expect(modesOf("int4")).toEqual(["int4"]);
});
