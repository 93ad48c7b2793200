import { PriorityClass } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { parseScheduling } from "./scheduling-options.ts";
import { UsageError } from "./usage-error.ts";

const nowMs = Date.UTC(2030, 0, 1);

describe("parseScheduling", () => {
  test("has no field that was not said, so that an update leaves it alone", () => {
    expect(parseScheduling({}, nowMs)).toEqual({});
    expect(parseScheduling({ priority: "7" }, nowMs)).toEqual({ priority: 7 });
  });

  test("keeps a 0, which lifts a bound, and a deadline of none, which clears it", () => {
    const said = parseScheduling({ "max-concurrency": "0", deadline: "none" }, nowMs);

    expect(said).toEqual({ maxConcurrency: 0, deadlineTime: undefined });
    expect("deadlineTime" in said).toBe(true);
  });

  test.each([
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["2h", 7_200_000],
    ["3d", 3 * 86_400_000],
    ["2030-01-01T00:00:05Z", 5_000],
  ])("reads the deadline %s", (deadline, aheadMs) => {
    expect(parseScheduling({ deadline }, nowMs).deadlineTime).toEqual(new Date(nowMs + aheadMs));
  });

  test("reads classes by their names", () => {
    expect(parseScheduling({ class: "batch" }, nowMs).priorityClass).toBe(PriorityClass.BATCH);
  });

  test.each([
    [{ class: "urgent" }, /--class urgent: .*interactive, standard, batch/],
    [{ priority: "0" }, /--priority 0: .* 1 to 100/],
    [{ deadline: "tomorrow" }, /--deadline tomorrow/],
    [{ deadline: "2030-13-01T00:00:00Z" }, /--deadline 2030-13/],
    [{ sample: "-1" }, /--sample -1/],
    [{ "max-failed": "1001" }, /--max-failed 1001: .* 0 to 1000/],
  ])("refuses %j and says what would be right", (raw, message) => {
    expect(() => parseScheduling(raw, nowMs)).toThrow(UsageError);
    expect(() => parseScheduling(raw, nowMs)).toThrow(message);
  });
});
