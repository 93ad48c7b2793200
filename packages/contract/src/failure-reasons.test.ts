import { describe, expect, test } from "vitest";
import { errorTable } from "./errors.ts";
import {
  describeFailure,
  type FailureReason,
  failureReasons,
  failureRowOf,
} from "./failure-reasons.ts";
import { FailureBlame } from "./gen/zfarm/v1/image.ts";

const reasons = Object.keys(failureReasons) as FailureReason[];

describe("the table of failure reasons", () => {
  test.each(reasons)("%s: what is the task's own fault always costs an attempt", (reason) => {
    const { blame, spendsAttempt } = failureRowOf({ reason, blame: FailureBlame.UNSPECIFIED });

    expect(spendsAttempt || blame !== FailureBlame.TASK).toBe(true);
  });

  test.each(reasons)("%s: no client is told to repeat what its task ended with", (reason) => {
    expect(errorTable[failureReasons[reason].code].retry).toBe(false);
  });

  test("only refusals of the request itself look like one to the client", () => {
    const refusals = reasons.filter((reason) => failureReasons[reason].code === reason);

    expect(refusals).toEqual(["PROMPT_TOO_LONG", "INVALID_REQUEST", "TASK_EXPIRED"]);
    expect(refusals.some((reason) => failureReasons[reason].retry)).toBe(false);
  });

  test("a reason travels with the blame of its row", () => {
    expect(describeFailure("UPLOAD_FAILED", "the store is away")).toEqual({
      reason: "UPLOAD_FAILED",
      message: "the store is away",
      blame: FailureBlame.SHARED,
    });
  });
});

describe("a reason of another version", () => {
  test.each([
    [FailureBlame.TASK, true],
    [FailureBlame.UNSPECIFIED, true],
    [FailureBlame.WORKER, false],
    [FailureBlame.SHARED, false],
  ])("with blame %s is retried, and costs an attempt: %s", (blame, spendsAttempt) => {
    const row = failureRowOf({ reason: "NEVER_HEARD_OF", blame });

    expect(row).toEqual({ blame, spendsAttempt, retry: true, code: "TASK_FAILED" });
  });

  test("may be named like a property of every object", () => {
    const row = failureRowOf({ reason: "constructor", blame: FailureBlame.TASK });

    expect(row.code).toBe("TASK_FAILED");
  });
});
