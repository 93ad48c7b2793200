import { expect, test } from "vitest";
import { parseLogLine } from "./service-process.ts";

test("a line of a log is read", () => {
  expect(parseLogLine('{"level":"info","message":"app is ready"}')?.message).toBe("app is ready");
});

test.each(["node: bad option", '{"level":"info","mess', '{"level":"info"}', "{}", ""])(
  "what is no whole line of a log is let pass: %s",
  (line) => {
    expect(parseLogLine(line)).toBeUndefined();
  },
);
