/** What the leaders of several shards say of one pool adds up to what one leader would say. */
import { type PoolQueue, PriorityClass, type ProjectQueue, WaitReason } from "@zfarm/contract";
import { expect, test } from "vitest";
import { mergeQueues } from "./merge-queues.ts";

const project = (name: string, fields: Partial<ProjectQueue>): ProjectQueue => ({
  project: `projects/${name}`,
  waiting: 0,
  running: 0,
  usedSeconds: 0,
  usedShare: 1,
  dueShare: 1,
  weight: 1,
  ...fields,
});

const queue = (fields: Partial<PoolQueue>): PoolQueue => ({
  pool: "pools/default",
  waiting: 0,
  running: 0,
  backlogSeconds: 0,
  oldestSeconds: 0,
  classes: [],
  reasons: [],
  projects: [],
  projectCount: 0,
  weights: 0,
  usedSeconds: 0,
  warmStarts: 0,
  coldStarts: 0,
  ...fields,
});

const classQueue = (priorityClass: PriorityClass, waiting: number, oldestSeconds: number) => ({
  priorityClass,
  waiting,
  running: 1,
  backlogSeconds: waiting * 2,
  oldestSeconds,
});

test("counts add up, ages do not, and shares are of the whole pool", () => {
  const one = queue({
    waiting: 4,
    oldestSeconds: 9,
    classes: [classQueue(PriorityClass.BATCH, 4, 9)],
    reasons: [{ reason: WaitReason.CAPACITY, tasks: 4 }],
    projects: [project("a", { usedSeconds: 10, weight: 1 })],
    projectCount: 1,
    weights: 1,
    usedSeconds: 10,
  });
  const other = queue({
    waiting: 3,
    oldestSeconds: 2,
    classes: [classQueue(PriorityClass.INTERACTIVE, 1, 1), classQueue(PriorityClass.BATCH, 2, 2)],
    reasons: [
      { reason: WaitReason.FAIR_SHARE, tasks: 2 },
      { reason: WaitReason.CAPACITY, tasks: 1 },
    ],
    projects: [project("b", { usedSeconds: 30, weight: 3 })],
    projectCount: 1,
    weights: 3,
    usedSeconds: 30,
  });

  const [merged] = mergeQueues([[one], [other]]);

  expect(merged).toMatchObject({ waiting: 7, oldestSeconds: 9, projectCount: 2 });
  expect(merged?.classes).toMatchObject([
    { priorityClass: PriorityClass.INTERACTIVE, waiting: 1 },
    { priorityClass: PriorityClass.BATCH, waiting: 6, running: 2, oldestSeconds: 9 },
  ]);
  expect(merged?.reasons).toEqual([
    { reason: WaitReason.CAPACITY, tasks: 5 },
    { reason: WaitReason.FAIR_SHARE, tasks: 2 },
  ]);
  expect(merged?.projects).toMatchObject([
    { project: "projects/b", usedShare: 0.75, dueShare: 0.75 },
    { project: "projects/a", usedShare: 0.25, dueShare: 0.25 },
  ]);
});

test("a pool that one leader alone knows is told as it is", () => {
  const large = queue({ pool: "pools/large", waiting: 1 });

  const merged = mergeQueues([[queue({})], [large, queue({})]]);

  expect(merged.map(({ pool, waiting }) => [pool, waiting])).toEqual([
    ["pools/default", 0],
    ["pools/large", 1],
  ]);
});
