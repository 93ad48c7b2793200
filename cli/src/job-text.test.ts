import { TaskState, WaitReason } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { describeExplanations, describeTaskWait } from "./job-text.ts";

const job = `projects/lab/jobs/${"a".repeat(26)}`;
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
  release: "ResumeJob",
  earliestStartTime: undefined,
  missesDeadline: false,
};

describe("explanations", () => {
  test("say for each reason how many wait, why, until when and what helps", () => {
    const lines = describeExplanations(job, { explanations: [busy, paused], counts }, nowMs);

    expect(lines[0]).toContain("pending 7, running 1");
    expect(lines.slice(1, 4).map((line) => line.split(/ {2,}/))).toEqual([
      ["REASON", "TASKS", "STARTS", "WHY", "RELEASED BY"],
      [
        "capacity",
        "6",
        "in 42 s",
        "3 of 3 workers are busy; the deadline cannot be met",
        "the end of 2 tasks before it",
      ],
      ["job_paused", "1", "not by itself", "the job is paused", "ResumeJob"],
    ]);
    expect(lines.slice(4)).toEqual([
      `capacity: try zfarm queue, then zfarm job update ${job} --priority N`,
      `job_paused: try zfarm job resume ${job}`,
    ]);
  });

  test("of a job that waits for nothing say so", () => {
    expect(describeExplanations(job, { explanations: [], counts }, nowMs).at(-1)).toBe(
      "nothing waits",
    );
  });

  test("of a job with failed tasks and nothing that waits say where the reasons are", () => {
    const told = { explanations: [], counts: { ...counts, failed: 2 } };

    expect(describeExplanations(job, told, nowMs).at(-1)).toBe(
      `failed: zfarm job watch ${job} says why`,
    );
  });

  test.each([
    [0, "now"],
    [119_000, "in 119 s"],
    [7_000_000, "in 117 min"],
    [86_400_000, "in 24 h"],
  ])("give a start in %i ms as %s", (aheadMs, text) => {
    const explanation = { ...busy, earliestStartTime: new Date(nowMs + aheadMs) };

    const lines = describeTaskWait(job, { state: TaskState.PENDING, explanation }, nowMs);

    expect(lines).toContain(`starts: ${text}`);
  });

  test("of a task that runs are its state alone", () => {
    const running = { state: TaskState.RUNNING, explanation: undefined };

    expect(describeTaskWait(job, running, nowMs)).toEqual(["running"]);
  });

  test("name the project's own share where it is the bound", () => {
    const limited = { ...busy, reason: WaitReason.PROJECT_LIMIT };
    const told = { state: TaskState.PENDING, explanation: limited };

    expect(describeTaskWait(job, told, nowMs).at(-1)).toBe(
      "project_limit: try zfarm project set lab --burst N",
    );
  });
});
