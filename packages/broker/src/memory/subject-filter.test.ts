import { expect, test } from "vitest";
import { createSubjectFilter } from "./subject-filter.ts";

test.each([
  ["a.b", "a.b", true],
  ["a.b", "a.b.c", false],
  ["a.*", "a.b", true],
  ["a.*", "a", false],
  ["a.*", "a.b.c", false],
  ["*.b", "a.b", true],
  ["a.>", "a.b.c", true],
  ["a.>", "a", false],
  ["a.>", "b.c", false],
  [">", "a", true],
])("%s means %s: %s", (filter, subject, matches) => {
  expect(createSubjectFilter(filter)(subject)).toBe(matches);
});
