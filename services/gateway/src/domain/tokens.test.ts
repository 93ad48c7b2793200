import { defaultProject, type JobRef, jobIdOfRequest } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodePageToken,
  decodeResumeToken,
  encodePageToken,
  type ResumePoint,
  resumeTokensOf,
  tellNext,
  toldNothing,
} from "./tokens.ts";

const job: JobRef = { project: defaultProject, job: jobIdOfRequest(defaultProject, "a") };
const other: JobRef = { project: defaultProject, job: jobIdOfRequest(defaultProject, "b") };
const encodeResumeToken = (of: JobRef, behind: ResumePoint) => resumeTokensOf(of)(behind);
const point = fc.record({
  revision: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  told: fc.option(fc.nat(2 ** 32 - 1), { nil: undefined }),
});
const five = { revision: 5n, told: undefined };

describe("tokens", () => {
  test("give back what they were made of", () => {
    fc.assert(
      fc.property(point, fc.nat(1_000), (value, index) => {
        expect(decodeResumeToken(job, encodeResumeToken(job, value))).toEqual(value);
        expect(decodePageToken(job, encodePageToken(job, index))).toBe(index);
      }),
    );
  });

  test("of another job or another kind are refused", () => {
    fc.assert(
      fc.property(point, (value) => {
        expect(decodeResumeToken(other, encodeResumeToken(job, value))).toBeUndefined();
      }),
    );
    expect(decodePageToken(job, encodeResumeToken(job, five))).toBeUndefined();
    expect(decodeResumeToken(job, encodePageToken(job, 5))).toBeUndefined();
  });

  test("with any one character changed are refused", () => {
    const token = encodeResumeToken(job, { revision: 123_456_789n, told: 4_000_000_000 });
    for (let at = 0; at < token.length; at += 1) {
      const changed = `${token.slice(0, at)}${token[at] === "1" ? "2" : "1"}${token.slice(at + 1)}`;
      expect(decodeResumeToken(job, changed)).toBeUndefined();
    }
  });

  test("name what was told, in its order", () => {
    const nameOf = (indexes: readonly number[]): number => indexes.reduce(tellNext, toldNothing);

    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(100_000), { minLength: 2, maxLength: 9 }), (indexes) => {
        expect(nameOf(indexes)).toBe(nameOf([...indexes]));
        expect(nameOf(indexes)).not.toBe(nameOf(indexes.toReversed()));
        expect(nameOf(indexes)).not.toBe(nameOf(indexes.slice(1)));
      }),
      { seed: 1 },
    );
  });

  test("that nobody made are refused", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(decodePageToken(job, text)).toBeUndefined();
      }),
    );
  });
});
