/** What can be read from the leader's state: answers to queries, and the numbers for gauges. */
import {
  type JobRef,
  type LiveTask,
  limits,
  type PoolId,
  type TaskId,
  taskKey,
  type Worker,
  workerName,
} from "@zfarm/contract";
import { type FarmState, jobKey } from "./farm-state.ts";
import type { TaskEntry } from "./task-entry.ts";

export interface PoolCounts {
  readonly pool: PoolId;
  readonly queued: number;
  readonly leased: number;
}

export function countPools(state: FarmState): PoolCounts[] {
  return [...state.pools.values()].map(({ id, queued, leased }) => ({ pool: id, queued, leased }));
}

/** Where a task is: "ending" means that its outcome is being published. */
export type TaskSituation = "unknown" | "waiting" | "delayed" | "leased" | "ending" | "ended";

export function situationOf(state: FarmState, id: TaskId): TaskSituation {
  const key = taskKey(id);
  const entry = state.tasks.get(key);
  if (entry === undefined) return state.recent.has(key) ? "ended" : "unknown";
  if (entry.state === "leased") return "leased";
  return entry.aside ?? "waiting";
}

/** The workers of one pool, or of all; those that have not sent a heartbeat yet are left out. */
export function listWorkers(state: FarmState, pool: string): Worker[] {
  const workers: Worker[] = [];
  for (const { id, info, heardAt } of state.workers.values()) {
    if (info === undefined || (pool !== "" && info.pool !== pool)) continue;
    workers.push({ ...info, name: workerName(id), heartbeatTime: new Date(heardAt) });
  }
  return workers.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * The live tasks of a job by index. Positions are exact up to `positionTasksMax`; that number
 * itself means "this many or more", since counting further would cost a walk of the whole line.
 */
export function describeJob(state: FarmState, job: JobRef): LiveTask[] {
  const entries = [...(state.jobs.get(jobKey(job)) ?? [])];
  const positions = new Map<TaskEntry, number>();
  for (const pool of new Set(entries.map((entry) => entry.pool))) {
    let position = 0;
    for (const entry of state.pool(pool).line.preview(limits.positionTasksMax)) {
      positions.set(entry, position);
      position += 1;
    }
  }
  return entries
    .toSorted((one, other) => one.id.index - other.id.index)
    .map((entry) => describeTask(entry, positions.get(entry) ?? limits.positionTasksMax));
}

function describeTask(entry: TaskEntry, position: number): LiveTask {
  const { lease } = entry;
  return {
    index: entry.id.index,
    position: lease === undefined ? position : 0,
    worker: lease?.worker ?? "",
    attempt: lease?.attempt ?? entry.task.attempts + 1,
    step: lease?.step ?? 0,
    leaseExpireTime: lease === undefined ? undefined : new Date(lease.expiresAt),
  };
}
