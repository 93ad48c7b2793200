import { describe, expect, test } from "vitest";
import { outputFile, parseRenderOptions } from "./render-options.ts";
import { UsageError } from "./usage-error.ts";

describe("parseRenderOptions", () => {
  test("leaves to the farm what was not said", () => {
    expect(parseRenderOptions("a red house", {})).toEqual({
      prompt: "a red house",
      width: 0,
      height: 0,
      steps: 0,
      count: 1,
      loras: [],
    });
  });

  test("keeps all 64 bits of a seed", () => {
    const options = parseRenderOptions("x", { seed: "18446744073709551615" });

    expect(options.seed).toBe(18446744073709551615n);
  });

  test.each([
    [{ size: "256" }, /--size 256/],
    [{ size: "256x" }, /--size/],
    [{ size: "-1x256" }, /--size/],
    [{ steps: "0" }, /--steps 0: .* 1 to 50/],
    [{ steps: "51" }, /--steps 51: .* 1 to 50/],
    [{ steps: "8.5" }, /--steps 8.5/],
    [{ number: "0" }, /-n 0: .* 1 to 1000/],
    [{ seed: "-1" }, /--seed -1/],
    [{ seed: "18446744073709551616" }, /--seed .* 18446744073709551615/],
  ])("refuses %j and says what would be right", (raw, message) => {
    expect(() => parseRenderOptions("x", raw)).toThrow(UsageError);
    expect(() => parseRenderOptions("x", raw)).toThrow(message);
  });
});

describe("outputFile", () => {
  test.each([
    ["a.png", 1, "a.png"],
    ["a.png", 3, "a-2.png"],
    ["out/a", 3, "out/a-2"],
    ["out.d/a", 3, "out.d/a-2"],
    [".hidden", 2, ".hidden-2"],
  ])("%s as one of %i pictures", (out, count, expected) => {
    expect(outputFile(out, 1, count)).toBe(count === 1 ? out : expected);
  });
});
