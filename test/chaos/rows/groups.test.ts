import { expect, test } from "vitest";
import { rowGroups } from "./groups.ts";

const ids = rowGroups.flatMap(({ rows }) => rows.map(({ id }) => id));

test("every fault of the matrix has exactly one row", () => {
  const numbers = (letter: string, from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, index) => `${letter}${from + index}`);
  const wanted = [
    ...numbers("W", 1, 14),
    "W19",
    ...numbers("S", 1, 8),
    ...numbers("N", 1, 7),
    "N10",
    ...numbers("O", 1, 5),
    ...numbers("G", 1, 8),
  ];

  expect(ids.toSorted()).toEqual(wanted.toSorted());
});

test("every group and every promise has words of its own", () => {
  const promises = rowGroups.flatMap(({ rows }) => rows.map(({ promise }) => promise));

  expect(new Set(promises).size).toBe(promises.length);
  expect(new Set(rowGroups.map(({ name }) => name)).size).toBe(rowGroups.length);
});
