import { FailureBlame, limits, type Outcome, OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { errorOfOutcome } from "./outcome-error.ts";

const outcome = (kind: OutcomeKind, reason = "", message = ""): Outcome => ({
  kind,
  failure: reason === "" ? undefined : { reason, message, blame: FailureBlame.TASK },
  worker: "",
  fence: 0n,
  attempt: 1,
});

describe("errorOfOutcome", () => {
  test.each<[OutcomeKind, string, string | undefined]>([
    [OutcomeKind.SUCCEEDED, "", undefined],
    [OutcomeKind.CANCELED, "", "TASK_CANCELED"],
    [OutcomeKind.EXPIRED, "", "TASK_EXPIRED"],
    [OutcomeKind.FAILED, "PROMPT_TOO_LONG", "PROMPT_TOO_LONG"],
    [OutcomeKind.FAILED, "WORKER_LOST", "TASK_FAILED"],
    [OutcomeKind.FAILED, "INTERNAL", "TASK_FAILED"],
    [OutcomeKind.FAILED, "", "TASK_FAILED"],
  ])("row %# becomes the right code", (kind, reason, code) => {
    expect(errorOfOutcome(outcome(kind, reason))?.code).toBe(code);
  });

  test("names the field when the prompt has too many tokens", () => {
    const error = errorOfOutcome(outcome(OutcomeKind.FAILED, "PROMPT_TOO_LONG"));

    expect(error?.violations).toMatchObject([{ field: "image.prompt", reason: "TOO_LONG" }]);
  });

  test("passes on a bounded part of what a worker says", () => {
    const error = errorOfOutcome(outcome(OutcomeKind.FAILED, "OOM", "x".repeat(100_000)));

    expect(error?.message).toContain("OOM");
    expect(error?.message.length).toBeLessThan(limits.failureCharsMax + 100);
  });
});
