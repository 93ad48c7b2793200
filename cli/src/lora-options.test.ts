import { describe, expect, test } from "vitest";
import { fullLoraName, parsePairs, parseUse, parseUses } from "./lora-options.ts";
import { UsageError } from "./usage-error.ts";

const digest = "0a".repeat(32);

describe("--lora", () => {
  test.each([
    ["ink", { lora: "ink" }],
    ["ink:0.8", { lora: "ink", weight: 0.8 }],
    ["ink@2:-1", { lora: "ink@2", weight: -1 }],
    ["ink@stable", { lora: "ink@stable" }],
    [`${digest}:2`, { lora: digest, weight: 2 }],
    ["ink:.5", { lora: "ink", weight: 0.5 }],
  ])("%s names an adapter and how strongly it acts", (text, use) => {
    expect(parseUse(text)).toEqual(use);
  });

  test.each(["", "Ink", "ink@", "ink:", "ink:x", "ink:2.1", "ink:NaN", "ink:1e1", "ink:1:2", ":1"])(
    "%j is refused, and said so",
    (text) => {
      expect(() => parseUse(text)).toThrow(UsageError);
      expect(() => parseUse(text)).toThrow(`--lora ${text}`);
    },
  );

  test("comes at most four times", () => {
    expect(parseUses(["a", "b", "c", "d"])).toHaveLength(4);
    expect(() => parseUses(["a", "b", "c", "d", "e"])).toThrow(/at most 4/);
  });
});

describe("the name of an adapter", () => {
  test("is completed by the project, and by a version where one may be named", () => {
    expect(fullLoraName("ink", undefined)).toBe("projects/default/loras/ink");
    expect(fullLoraName("ink", "team-7")).toBe("projects/team-7/loras/ink");
    expect(fullLoraName("ink@2", undefined, true)).toBe("projects/default/loras/ink/versions/2");
    expect(fullLoraName("projects/p/loras/ink", undefined)).toBe("projects/p/loras/ink");
  });

  test.each(["", "Ink", "ink@", "ink@2", "a/b"])("%j is refused", (text) => {
    expect(() => fullLoraName(text, undefined)).toThrow(UsageError);
  });

  test("is of a project with a proper name", () => {
    expect(() => fullLoraName("ink", "Team")).toThrow(/--project Team/);
  });
});

describe("pairs", () => {
  test("are split at the first sign of equality, and each key comes once", () => {
    expect(parsePairs("--label", ["a=b=c", "d="])).toEqual({ a: "b=c", d: "" });
    expect(() => parsePairs("--label", ["a"])).toThrow(/--label a/);
    expect(() => parsePairs("--label", ["=a"])).toThrow(UsageError);
    expect(() => parsePairs("--label", ["a=1", "a=2"])).toThrow(/twice/);
  });
});
