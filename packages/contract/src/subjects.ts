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

export const buckets = { jobs: "jobs", pools: "pools", leader: "leader", farm: "farm" } as const;

/** The key of the farm's own record in its bucket. */
export const farmKey = "farm";

/** The key of the leadership lease in its bucket. */
export const leaderKey = "scheduler";

export const subjects = {
  /** One message per live task. */
  queue: (pool: PoolId, id: TaskId) => `queue.${pool}.${id.project}.${id.job}.${id.index}`,
  queueAll: "queue.>",
  /** At most one message per task, ever. */
  outcome: (id: TaskId) => `outcome.${id.project}.${id.job}.${id.index}`,
  outcomesOfJob: (ref: JobRef) => `outcome.${ref.project}.${ref.job}.*`,
  outcomesAll: "outcome.>",
  /** What is wanted of a job; three parts, where commands to a worker have two. */
  jobControl: (ref: JobRef) => `control.${ref.project}.${ref.job}`,
  jobControlsAll: "control.*.*",
  /** What operators want of a project, a pool or a worker. */
  projectPolicy: (project: ProjectId) => `policy.project.${project}`,
  poolPolicy: (pool: PoolId) => `policy.pool.${pool}`,
  workerPolicy: (worker: WorkerId) => `policy.worker.${worker}`,
  policiesAll: "policy.*.*",
  /** Requests for work; the leader answers. */
  work: (pool: PoolId) => `work.${pool}`,
  workAll: "work.*",
  beat: (worker: WorkerId) => `beat.${worker}`,
  beatAll: "beat.*",
  /** Attempts that ended without an outcome. */
  report: "report",
  control: (worker: WorkerId) => `control.${worker}`,
  progress: (id: TaskId) => `progress.${id.project}.${id.job}.${id.index}`,
  progressOfJob: (ref: JobRef) => `progress.${ref.project}.${ref.job}.*`,
  /** Questions to the leader. */
  query: "scheduler.query",
} as const;
