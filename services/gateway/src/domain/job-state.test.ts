import { JobState, type Outcome, OutcomeKind, type TaskCounts } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { countTasks, jobStateOf } from "./job-state.ts";

const outcome = (index: number, kind: OutcomeKind): Outcome => ({
  spec: { project: "p", job: "j", index, pool: "default" },
  kind,
  worker: "",
  fence: 0n,
  attempt: 0,
});

const counts = (fields: Partial<TaskCounts>): TaskCounts => ({
  total: 4,
  pending: 0,
  running: 0,
  succeeded: 0,
  failed: 0,
  canceled: 0,
  expired: 0,
  ...fields,
});

describe("countTasks", () => {
  test("counts a task that ended since the leader spoke as ended, not as running", () => {
    const outcomes = [outcome(0, OutcomeKind.SUCCEEDED), outcome(1, OutcomeKind.FAILED)];

    const counted = countTasks(4, outcomes, new Set([1, 2]));

    expect(counted).toEqual(counts({ pending: 1, running: 1, succeeded: 1, failed: 1 }));
  });
});

describe("jobStateOf", () => {
  test.each<[Partial<TaskCounts>, JobState]>([
    [{ pending: 4 }, JobState.QUEUED],
    [{ pending: 3, running: 1 }, JobState.RUNNING],
    [{ pending: 3, succeeded: 1 }, JobState.RUNNING],
    [{ succeeded: 4 }, JobState.SUCCEEDED],
    [{ succeeded: 3, failed: 1 }, JobState.PARTIALLY_SUCCEEDED],
    [{ succeeded: 1, expired: 3 }, JobState.PARTIALLY_SUCCEEDED],
    [{ failed: 3, expired: 1 }, JobState.FAILED],
    [{ succeeded: 3, canceled: 1 }, JobState.CANCELED],
    [{ canceled: 4 }, JobState.CANCELED],
  ])("%j", (fields, state) => {
    expect(jobStateOf(counts(fields))).toBe(state);
  });
});
