/** The checker must find what it is there for: each rule is fed a history that breaks it. */
import { describe, expect, test } from "vitest";
import { checkHistory, type Rule } from "./check-history.ts";
import type { FarmScan, HistoryEntry, StoredOutcomeFact } from "./history.ts";

type Entry = HistoryEntry extends infer Each
  ? Each extends unknown
    ? Omit<Each, "atMs">
    : never
  : never;

const job = "job-a";
const watch = "watch a";

function outcome(index: number, change: Partial<StoredOutcomeFact> = {}): StoredOutcomeFact {
  const base = { job, index, state: "succeeded", reason: "", fence: 5n, worker: "w", attempt: 1 };
  const picture = { key: `default/${job}/${index}/5.png`, sha256: `sha-${index}` };
  return { ...base, ...picture, revision: BigInt(10 + index), ...change } as StoredOutcomeFact;
}

const submit: Entry[] = [
  {
    kind: "submit-invoked",
    job,
    tasks: [0, 1].map((index) => ({ index, sha256: `sha-${index}` })),
  },
  { kind: "submit-ok", job, returned: job },
];
const seen = (index: number, sha256 = `sha-${index}`): Entry => {
  return { kind: "task-seen", watch, job, index, state: "succeeded", sha256 };
};
const ended: Entry = { kind: "job-seen", watch, job };
const goodEntries: Entry[] = [...submit, seen(0), seen(1), ended];
const goodScan: FarmScan = {
  outcomes: [outcome(0), outcome(1)],
  queued: [],
  objects: [0, 1].map((index) => ({
    key: `default/${job}/${index}/5.png`,
    sha256: `sha-${index}`,
  })),
};

function judge(
  entries: readonly Entry[],
  change: Partial<FarmScan> = {},
  tolerated: string[] = [],
) {
  const timed = entries.map((entry, atMs) => ({ ...entry, atMs }) as HistoryEntry);
  return checkHistory(timed, { ...goodScan, ...change }, { toleratedFailures: tolerated });
}

function rulesOf(entries: readonly Entry[], change: Partial<FarmScan> = {}): Rule[] {
  return judge(entries, change).violations.map(({ rule }) => rule);
}

test("a run in which everything held has no violation and is counted", () => {
  const { violations, counts } = judge(goodEntries);

  expect(violations).toEqual([]);
  expect(counts).toMatchObject({ tasksAttempted: 2, tasksAcked: 2, tasksEnded: 2, tasksSeen: 2 });
});

describe("finds", () => {
  const failed = outcome(1, { state: "failed", reason: "ENGINE_FAILED", key: "", sha256: "" });
  const canceled = outcome(1, { state: "canceled", key: "", sha256: "" });
  const refused: Entry[] = [...submit.slice(0, 1), { kind: "submit-refused", job, code: "X" }];
  const [first, second] = goodScan.objects;
  const badBytes = [
    { key: first?.key ?? "", sha256: "flipped" },
    second ?? { key: "", sha256: "" },
  ];
  const stranger = { key: "default/job-z/0/1.png", sha256: "z" };
  const stale = [outcome(0), outcome(1, { revision: 3n })];

  test.each<[string, Rule, readonly Entry[], Partial<FarmScan>]>([
    ["an accepted task without an outcome", "lost", submit, { outcomes: [outcome(0)] }],
    ["an accepted task that failed", "not-succeeded", submit, { outcomes: [outcome(0), failed] }],
    ["a cancel nobody asked for", "not-succeeded", submit, { outcomes: [outcome(0), canceled] }],
    ["an outcome of nothing", "phantom", submit, { outcomes: [...goodScan.outcomes, outcome(2)] }],
    ["an object of nothing", "phantom", submit, { objects: [...goodScan.objects, stranger] }],
    ["a queued task of nothing", "phantom", submit, { queued: [{ job: "job-z", index: 0 }] }],
    [
      "two outcomes of a task",
      "duplicate",
      submit,
      { outcomes: [...goodScan.outcomes, outcome(1)] },
    ],
    ["an end that was seen twice", "duplicate", [...submit, seen(0), seen(0), seen(1), ended], {}],
    [
      "an end that is not what stands",
      "stale",
      [...submit, seen(0, "sha-other"), seen(1), ended],
      {},
    ],
    ["an end that vanished", "stale", [...submit, seen(0)], { outcomes: [outcome(1)] }],
    [
      "a swapped picture",
      "wrong-bytes",
      submit,
      { outcomes: [outcome(0), outcome(1, { sha256: "x" })] },
    ],
    ["a flipped byte in the store", "wrong-bytes", submit, { objects: badBytes }],
    ["a missing object", "wrong-bytes", submit, { objects: goodScan.objects.slice(1) }],
    ["a gap in a watch", "watch-gap", [...submit, seen(0), ended], {}],
    ["outcomes out of order", "watch-order", goodEntries, { outcomes: stale }],
    ["a second end of the job", "watch-terminal", [...goodEntries, ended], {}],
    ["an event after the end", "watch-terminal", [...submit, seen(0), ended, seen(1)], {}],
    ["a refusal that was rendered", "refused-but-rendered", refused, {}],
    [
      "another job for the same request",
      "other-job",
      [{ kind: "submit-ok", job, returned: "b" }],
      {},
    ],
    ["a task that never left the queue", "left-in-queue", submit, { queued: [{ job, index: 1 }] }],
  ])("%s", (...[, rule, entries, change]) => {
    expect(rulesOf(entries, change)).toContain(rule);
  });
});

describe("allows", () => {
  const invoked = submit.slice(0, 1);
  const unknown: Entry[] = [...invoked, { kind: "submit-unknown", job, code: "NO_LEADER" }];

  test("a submit of unknown end to have happened, or not", () => {
    expect(rulesOf(unknown)).toEqual([]);
    expect(rulesOf(unknown, { outcomes: [], objects: [] })).toEqual([]);
    expect(judge(unknown).counts.tasksRecovered).toBe(2);
  });

  test("a task to end canceled after its client left", () => {
    const canceled = outcome(1, { state: "canceled", key: "", sha256: "" });
    const entries: Entry[] = [...submit, { kind: "cancel-invoked", job }];

    expect(rulesOf(entries, { outcomes: [outcome(0), canceled] })).toEqual([]);
  });

  test("only those failures that the faults of the run explain, and counts them", () => {
    const crashed = outcome(1, { state: "failed", reason: "WORKER_LOST", key: "", sha256: "" });
    const scan = { outcomes: [outcome(0), crashed] };

    expect(judge(submit, scan, ["WORKER_LOST"]).violations).toEqual([]);
    expect(judge(submit, scan, ["WORKER_LOST"]).counts.failuresTolerated).toBe(1);
    expect(rulesOf(submit, scan)).toEqual(["not-succeeded"]);
  });

  test("objects of attempts that lost, and counts them", () => {
    const loser = { key: `default/${job}/0/4.png`, sha256: "sha-0" };
    const { violations, counts } = judge(submit, { objects: [...goodScan.objects, loser] });

    expect(violations).toEqual([]);
    expect(counts.objectsUnreferenced).toBe(1);
  });
});
