import { describe, expect, test } from "vitest";
import { formatTraceParent, parseTraceParent } from "./traceparent.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const text = `00-${traceId}-${spanId}-01`;

describe("traceparent", () => {
  test("is read and written as it came", () => {
    const parent = parseTraceParent(text);

    expect(parent).toEqual({ traceId, spanId, sampled: true });
    expect(parent && formatTraceParent(parent)).toBe(text);
  });

  test("says that the caller keeps nothing of the trace", () => {
    expect(parseTraceParent(`00-${traceId}-${spanId}-00`)?.sampled).toBe(false);
    expect(parseTraceParent(`00-${traceId}-${spanId}-fe`)?.sampled).toBe(false);
  });

  test("of a later version is read as far as it is known", () => {
    expect(parseTraceParent(`cc-${traceId}-${spanId}-01-what-comes-then`)?.traceId).toBe(traceId);
  });

  test.each([
    ["nothing", undefined],
    ["an empty text", ""],
    ["words", "hello"],
    ["a version that can never be", `ff-${traceId}-${spanId}-01`],
    ["more than version 00 has", `${text}-more`],
    ["capital letters", text.toUpperCase()],
    ["a trace of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["a trace that is too short", `00-${traceId.slice(1)}-${spanId}-01`],
    ["two headers in one", `${text},${text}`],
    ["a later version without its dash", `cc-${traceId}-${spanId}-01more`],
  ])("is ignored where it is %s", (_name, bad) => {
    expect(parseTraceParent(bad)).toBeUndefined();
  });
});
