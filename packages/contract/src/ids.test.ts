import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createJobId,
  defaultProject,
  isRequestId,
  jobIdOfRequest,
  parseJobId,
  parseProjectId,
  parseWorkerId,
} from "./ids.ts";

describe("ids", () => {
  test("the same request of the same project is always the same job", () => {
    const first = jobIdOfRequest(defaultProject, "order-1");

    expect(jobIdOfRequest(defaultProject, "order-1")).toBe(first);
    expect(jobIdOfRequest(defaultProject, "order-2")).not.toBe(first);
  });

  test("one project's request ids say nothing about another's", () => {
    const other = parseProjectId("studio");

    expect(other).toBeDefined();
    if (other === undefined) return;
    expect(jobIdOfRequest(other, "a")).not.toBe(jobIdOfRequest(defaultProject, "a"));
  });

  test("every job id made here is one that parses", () => {
    const made = Array.from({ length: 200 }, () => createJobId());

    expect(made.map(parseJobId)).toEqual(made);
    expect(new Set(made).size).toBe(200);
  });

  test.each(["", "a.b", "a b", "*", ">", "A", "-a", "1a", "a\n", "é", "a".repeat(64)])(
    "%j is no name: it could change what a subject means",
    (text) => {
      expect(parseProjectId(text)).toBeUndefined();
      expect(parseWorkerId(text)).toBeUndefined();
    },
  );

  test("no parsed id ever holds a character with a meaning to NATS", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        for (const id of [parseProjectId(text), parseJobId(text), parseWorkerId(text)]) {
          if (id !== undefined) expect(id).toMatch(/^[a-z0-9-]+$/);
        }
      }),
    );
  });

  test.each([
    ["a".repeat(64), true],
    ["A_b-9", true],
    ["", false],
    ["a".repeat(65), false],
    ["a b", false],
  ])("request id %j is accepted: %s", (text, accepted) => {
    expect(isRequestId(text)).toBe(accepted);
  });
});
