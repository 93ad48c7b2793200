import { expect, test } from "vitest";
import { UsageError } from "../usage-error.ts";
import { parseWorkerCount } from "./worker-count.ts";

test("one number of workers stays", () => {
  expect(parseWorkerCount("--workers", "3")).toEqual({ workers: 3 });
  expect(parseWorkerCount("--workers", "64")).toEqual({ workers: 64 });
});

test("between two numbers load decides, and one worker shows what the pool can do", () => {
  expect(parseWorkerCount("--workers", "0..4")).toEqual({ workers: 1, range: { min: 0, max: 4 } });
  expect(parseWorkerCount("--workers", "2..64")).toEqual({
    workers: 2,
    range: { min: 2, max: 64 },
  });
});

test.each([
  ["0", "--workers 0: must be a whole number from 1 to 64"],
  ["65", "--workers 65: must be a whole number from 1 to 64"],
  ["two", "--workers two: must be a whole number from 1 to 64"],
  ["0..65", "--workers 0..65: the upper end 65: must be a whole number from 1 to 64"],
  ["0..0", "--workers 0..0: the upper end 0: must be a whole number from 1 to 64"],
  ["-1..2", "--workers -1..2: the lower end -1: must be a whole number from 0 to 64"],
  ["..2", "--workers ..2: the lower end : must be a whole number from 0 to 64"],
  ["4..2", "--workers 4..2: the lower end 4 must be at most 2"],
  ["1..2..3", "--workers 1..2..3: must be N or MIN..MAX"],
])("a number that cannot be is refused by name, value and bound: %s", (text, message) => {
  expect(() => parseWorkerCount("--workers", text)).toThrow(new UsageError(message));
});
