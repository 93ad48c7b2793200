import { describe, expect, test } from "vitest";
import { parseGuidance } from "./guidance-options.ts";
import { UsageError } from "./usage-error.ts";

describe("parseGuidance", () => {
  test("leaves to the farm what was not said", () => {
    expect(parseGuidance({})).toBeUndefined();
    expect(parseGuidance({ guidance: "4.5", negative: "blurry" })).toEqual({
      scale: 4.5,
      negativePrompt: "blurry",
    });
  });

  test("can switch a pool's default guidance off", () => {
    expect(parseGuidance({ guidance: "0" })).toEqual({ scale: 0 });
  });

  test.each([
    [{ guidance: "21" }, /--guidance 21: .* 0 to 20/],
    [{ guidance: "-1" }, /--guidance -1/],
    [{ guidance: "much" }, /--guidance much/],
    [{ guidance: "4", truncation: "1.5" }, /--truncation 1.5: .* 0 to 1/],
    [{ guidance: "4", normalization: "11" }, /--normalization 11: .* 0 to 10/],
    [{ negative: "blurry" }, /--negative acts with --guidance only/],
  ])("refuses %j and says what would be right", (raw, message) => {
    expect(() => parseGuidance(raw)).toThrow(UsageError);
    expect(() => parseGuidance(raw)).toThrow(message);
  });
});
