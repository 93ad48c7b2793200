/** Versions as programs print them, and their order. */
import { describe, expect, test } from "vitest";
import { compareVersions, isAtLeast, parseVersion } from "./versions.mjs";

describe("versions", () => {
  test.each([
    ["nats-server: v2.14.9", [2, 14, 9]],
    ["go1.26.8", [1, 26, 8]],
    ["go1.26rc1", [1, 26, 0]],
    ["devel go1.27-a1b2c3", [1, 27, 0]],
    ["2.10", [2, 10, 0]],
    ["v2.15.0-RC.1", [2, 15, 0]],
    ["", undefined],
    ["7", undefined],
    ["no version here", undefined],
  ])("reads %j as %j", (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  test.each([
    [[2, 9, 10], [2, 10], -1],
    [[2, 10, 0], [2, 10], 0],
    [[2, 10], [2, 10, 0], 0],
    [[2, 10, 1], [2, 10], 1],
    [[2, 10], [2, 10, 1], -1],
    [[10, 0, 0], [9, 99, 99], 1],
  ])("orders %j and %j as %i", (a, b, order) => {
    expect(Math.sign(compareVersions(a, b))).toBe(order);
    expect(Math.sign(compareVersions(b, a))).toBe(order === 0 ? 0 : -order);
  });

  test("takes a text without a version for too old", () => {
    expect(isAtLeast("2.10.0", [2, 10])).toBe(true);
    expect(isAtLeast("2.9.10", [2, 10])).toBe(false);
    expect(isAtLeast("unknown", [0, 0])).toBe(false);
  });
});
