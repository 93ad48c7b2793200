/**
 * Every name the farm uses on NATS. Parts are parsed ids, so no text of a user ever reaches a
 * subject. Stream layout and its reasons: docs/decisions/0003-queue-without-acks.md.
 */

import type { PoolId, TaskId, WorkerId } from "./ids.ts";
import type { JobRef } from "./resource-names.ts";

export const streams = { queue: "QUEUE", outcomes: "OUTCOMES" } as const;

export const buckets = { jobs: "jobs", pools: "pools", leader: "leader" } as const;

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

/** Where an attempt puts its picture: the fence keeps attempts apart. */
export function imageKey(id: TaskId, fence: bigint): string {
  return `${id.project}/${id.job}/${id.index}/${fence}.png`;
}
