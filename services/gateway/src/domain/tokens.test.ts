import { defaultProject, type JobRef, jobIdOfRequest } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodePageToken,
  decodeResumeToken,
  encodePageToken,
  encodeResumeToken,
} from "./tokens.ts";

const job: JobRef = { project: defaultProject, job: jobIdOfRequest(defaultProject, "a") };
const other: JobRef = { project: defaultProject, job: jobIdOfRequest(defaultProject, "b") };
const revision = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe("tokens", () => {
  test("give back what they were made of", () => {
    fc.assert(
      fc.property(revision, fc.nat(1_000), (value, index) => {
        expect(decodeResumeToken(job, encodeResumeToken(job, value))).toBe(value);
        expect(decodePageToken(job, encodePageToken(job, index))).toBe(index);
      }),
    );
  });

  test("of another job or another kind are refused", () => {
    fc.assert(
      fc.property(revision, (value) => {
        expect(decodeResumeToken(other, encodeResumeToken(job, value))).toBeUndefined();
      }),
    );
    expect(decodePageToken(job, encodeResumeToken(job, 5n))).toBeUndefined();
    expect(decodeResumeToken(job, encodePageToken(job, 5))).toBeUndefined();
  });

  test("with any one character changed are refused", () => {
    const token = encodeResumeToken(job, 123_456_789n);
    for (let at = 0; at < token.length; at += 1) {
      const changed = `${token.slice(0, at)}${token[at] === "1" ? "2" : "1"}${token.slice(at + 1)}`;
      expect(decodeResumeToken(job, changed)).toBeUndefined();
    }
  });

  test("that nobody made are refused", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(decodePageToken(job, text)).toBeUndefined();
      }),
    );
  });
});
