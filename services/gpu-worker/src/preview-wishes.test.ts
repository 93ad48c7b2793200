import { defaultProject, type JobId, limits } from "@zfarm/contract";
import { expect, test } from "vitest";
import { PreviewWishes } from "./preview-wishes.ts";

const jobOf = (name: string) => ({ project: defaultProject, job: name as JobId });

test("a wish holds for a while, and longer when it is repeated", () => {
  const wishes = new PreviewWishes();

  wishes.note(jobOf("a"), 0);
  wishes.note(jobOf("a"), 1_000);

  expect(wishes.has(jobOf("a"), limits.previewWishMs + 999)).toBe(true);
  expect(wishes.has(jobOf("a"), limits.previewWishMs + 1_000)).toBe(false);
  expect(wishes.has(jobOf("b"), 0)).toBe(false);
});

test("a bounded number of jobs is remembered, those of the newest wishes", () => {
  const wishes = new PreviewWishes();

  for (let at = 0; at <= limits.previewWishesMax; at += 1) wishes.note(jobOf(`${at}`), 0);

  expect(wishes.has(jobOf("0"), 1)).toBe(false);
  expect(wishes.has(jobOf("1"), 1)).toBe(true);
});
