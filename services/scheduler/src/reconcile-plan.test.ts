import { type JobRecord, limits } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { type ManifestFacts, planManifest } from "./reconcile-plan.ts";

const record: JobRecord = {
  project: "default",
  job: "j",
  requestDigest: "d",
  pool: "default",
  displayName: "",
  taskCount: 3,
  createTime: new Date(0),
  admitted: true,
};
const plan = (facts: Partial<ManifestFacts>) =>
  planManifest({ ageMs: 1_000, record, taskCount: 3, ended: new Set(), ...facts });

describe("the plan for a manifest", () => {
  test.each<[string, Partial<ManifestFacts>, object]>([
    [
      "the job was lost",
      { record: undefined },
      { kind: "ensure", record: "create", open: [0, 1, 2] },
    ],
    [
      "the job was lost and its outcomes were not",
      { record: undefined, ended: new Set([0, 1, 2]) },
      { kind: "ensure", record: "create", open: [] },
    ],
    [
      "tasks are open, live or lost",
      { ended: new Set([1]) },
      { kind: "ensure", record: "stands", open: [0, 2] },
    ],
    ["all have ended", { ended: new Set([0, 1, 2]) }, { kind: "leave", reason: "ended" }],
    [
      "all have ended long ago",
      { ended: new Set([0, 1, 2]), ageMs: limits.outcomeRetentionMs + 1 },
      { kind: "remove", reason: "ended" },
    ],
    [
      "a task waits for longer than outcomes are kept",
      { ended: new Set([0, 1]), ageMs: limits.outcomeRetentionMs + 1 },
      { kind: "ensure", record: "stands", open: [2] },
    ],
    [
      "the job is just being stored",
      { record: { ...record, admitted: false } },
      { kind: "leave", reason: "being-created" },
    ],
    [
      "nobody is storing the job any more",
      { record: { ...record, admitted: false }, ageMs: limits.manifestSettleMs + 1 },
      { kind: "ensure", record: "admit", open: [0, 1, 2] },
    ],
    [
      "nobody is storing the job any more and its tasks have ended",
      {
        record: { ...record, admitted: false },
        ageMs: limits.manifestSettleMs + 1,
        ended: new Set([0, 1, 2]),
      },
      { kind: "ensure", record: "admit", open: [] },
    ],
    [
      "the job was refused halfway",
      { record: { ...record, admitted: false, requestDigest: "" } },
      { kind: "remove", reason: "refused" },
    ],
    [
      "the job's record has left by age",
      { record: undefined, ageMs: limits.jobRetentionMs + 1 },
      { kind: "remove", reason: "too-old" },
    ],
  ])("where %s", (_case, facts, expected) => {
    expect(plan(facts)).toEqual(expected);
  });
});
