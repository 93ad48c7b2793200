/**
 * Every name the farm uses on NATS. Parts are parsed ids, so no text of a user ever reaches a
 * subject. Stream layout and its reasons: docs/decisions/0003-queue-without-acks.md.
 */

import type { PoolId, ProjectId, TaskId, WorkerId } from "./ids.ts";
import type { JobRef } from "./resource-names.ts";

export const streams = {
  queue: "QUEUE",
  outcomes: "OUTCOMES",
  controls: "CONTROLS",
  policies: "POLICIES",
} as const;

export const buckets = {
  jobs: "jobs",
  pools: "pools",
  loras: "loras",
  leader: "leader",
  farm: "farm",
} as const;

/** Keys of the farm's own records in their bucket: what holds for it, and for each shard. */
export const farmKey = "farm";
export const shardKey = (shard: number): string => `shard-${shard}`;

/** The key of the lease of leadership in its bucket; each shard has a bucket of its own. */
export const leaderKey = "scheduler";
export const leaderBucket = (shard: number): string =>
  shard === 0 ? buckets.leader : `${buckets.leader}-${shard}`;

export const subjects = {
  /** The message of one live task. */
  queue: (shard: number, pool: PoolId, id: TaskId) =>
    `queue.${shard}.${pool}.${id.project}.${id.job}.${id.index}`,
  /** Fresh tasks in one message, by the smallest index that it can hold. */
  queueBundle: (shard: number, pool: PoolId, first: TaskId) =>
    `queue.${shard}.${pool}.${first.project}.${first.job}.b${first.index}`,
  isQueueBundle: (subject: string) => subject.charAt(subject.lastIndexOf(".") + 1) === "b",
  queueOfShard: (shard: number) => `queue.${shard}.>`,
  queueAll: "queue.>",
  /** At most one message per task, ever. */
  outcome: (id: TaskId) => `outcome.${id.project}.${id.job}.${id.index}`,
  outcomesOfJob: (ref: JobRef) => `outcome.${ref.project}.${ref.job}.*`,
  outcomesOfProject: (project: ProjectId) => `outcome.${project}.>`,
  outcomesAll: "outcome.>",
  /** What is wanted of a job; three parts, where commands to a worker have two. */
  jobControl: (ref: JobRef) => `control.${ref.project}.${ref.job}`,
  jobControlsAll: "control.*.*",
  /** What operators want of a project, a pool or a worker. */
  projectPolicy: (project: ProjectId) => `policy.project.${project}`,
  poolPolicy: (pool: PoolId) => `policy.pool.${pool}`,
  workerPolicy: (worker: WorkerId) => `policy.worker.${worker}`,
  policiesAll: "policy.*.*",
  /** Requests for work; the leader of the shard answers. */
  work: (shard: number, pool: PoolId) => `work.${shard}.${pool}`,
  workOfShard: (shard: number) => `work.${shard}.*`,
  beat: (worker: WorkerId) => `beat.${worker}`,
  beatAll: "beat.*",
  /** Attempts that ended without an outcome. */
  report: (shard: number) => `report.${shard}`,
  control: (worker: WorkerId) => `control.${worker}`,
  progress: (id: TaskId) => `progress.${id.project}.${id.job}.${id.index}`,
  progressOfJob: (ref: JobRef) => `progress.${ref.project}.${ref.job}.*`,
  /** Who wishes to see previews of which job; all workers hear it. */
  previewWish: "preview.wish",
  /** Questions to the leader of a shard. */
  query: (shard: number) => `scheduler.query.${shard}`,
} as const;
