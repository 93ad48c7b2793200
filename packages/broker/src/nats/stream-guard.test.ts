import { expect, test } from "vitest";
import { isSameTime } from "./stream-guard.ts";

test("one time is the same however the client reads it, and two of a restart are not", () => {
  const nanos = "1795671107959999931";
  const delivered = Math.floor(Number(nanos) / 1e6);
  const stored = Date.parse("2026-11-26T05:31:47.959999931Z");

  expect(delivered).not.toBe(stored);
  expect(isSameTime(delivered, stored)).toBe(true);
  expect(isSameTime(delivered, stored + 100)).toBe(false);
});
