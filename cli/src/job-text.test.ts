import { TaskState, WaitReason } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { describeExplanations, describeTaskWait } from "./job-text.ts";

const nowMs = Date.UTC(2030, 0, 1);
const counts = {
  total: 9,
  pending: 7,
  running: 1,
  succeeded: 1,
  failed: 0,
  canceled: 0,
  expired: 0,
};
const busy = {
  reason: WaitReason.CAPACITY,
  tasks: 6,
  detail: "3 of 3 workers are busy",
  release: "the end of 2 tasks before it",
  earliestStartTime: new Date(nowMs + 42_000),
  missesDeadline: true,
};
const paused = {
  reason: WaitReason.JOB_PAUSED,
  tasks: 1,
  detail: "the job is paused",
  release: "zfarm job resume",
  earliestStartTime: undefined,
  missesDeadline: false,
};

describe("explanations", () => {
  test("say for each reason how many wait, why, until when and what helps", () => {
    const lines = describeExplanations({ explanations: [busy, paused], counts }, nowMs);

    expect(lines[0]).toContain("pending 7, running 1");
    expect(lines.slice(1).map((line) => line.split(/ {2,}/))).toEqual([
      ["REASON", "TASKS", "STARTS", "WHY", "RELEASED BY"],
      [
        "capacity",
        "6",
        "in 42 s",
        "3 of 3 workers are busy; the deadline cannot be met",
        "the end of 2 tasks before it",
      ],
      ["job_paused", "1", "not by itself", "the job is paused", "zfarm job resume"],
    ]);
  });

  test("of a job that waits for nothing say so", () => {
    expect(describeExplanations({ explanations: [], counts }, nowMs).at(-1)).toBe("nothing waits");
  });

  test.each([
    [0, "now"],
    [119_000, "in 119 s"],
    [7_000_000, "in 117 min"],
    [86_400_000, "in 24 h"],
  ])("give a start in %i ms as %s", (aheadMs, text) => {
    const explanation = { ...busy, earliestStartTime: new Date(nowMs + aheadMs) };

    const lines = describeTaskWait(TaskState.PENDING, explanation, nowMs);

    expect(lines).toContain(`starts: ${text}`);
  });

  test("of a task that runs are its state alone", () => {
    expect(describeTaskWait(TaskState.RUNNING, undefined, nowMs)).toEqual(["running"]);
  });
});
