/** Estimates when a waiting task may start, from what stands before it and who works. */
import { limits, WaitReason } from "@zfarm/contract";
import { fits } from "./choose-grant.ts";
import type { FarmState } from "./farm-state.ts";
import type { JobEntry } from "./job-entry.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { asideUntil, isHeldBack } from "./serving.ts";
import type { TaskEntry } from "./task-entry.ts";

/** Reasons that only somebody's act ends. */
const needsAct: ReadonlySet<WaitReason> = new Set([
  WaitReason.NO_WORKERS,
  WaitReason.DRAINING,
  WaitReason.JOB_PAUSED,
  WaitReason.AWAITING_APPROVAL,
  WaitReason.ENDING,
]);

/** Milliseconds since the epoch; undefined where nothing happens before somebody acts. */
export function earliestStart(
  state: FarmState,
  reason: WaitReason,
  entry: TaskEntry,
): number | undefined {
  if (needsAct.has(reason)) return undefined;
  const { pool } = entry.job;
  if (reason === WaitReason.BACK_OFF) return entry.trial?.turnTimer.at;
  const from = Math.max(state.now, Number.isFinite(state.grantsFrom) ? state.grantsFrom : 0);
  const workers = [...pool.workers].filter(
    (worker) => !isHeldBack(worker) && fits(entry.lot, worker),
  );
  if (workers.length === 0) return undefined;
  let freeAt = Number.POSITIVE_INFINITY;
  for (const worker of workers) {
    const servesAt = asideUntil(state, worker) ?? from;
    freeAt = Math.min(freeAt, Math.max(from, servesAt, worker.busyUntil));
  }
  if (freeAt === Number.POSITIVE_INFINITY) return undefined;
  if (reason === WaitReason.JOB_LIMIT) return Math.max(freeAt, jobFreeAt(state, entry.job));
  return freeAt + workBeforeMs(state, pool, entry) / workers.length;
}

/** When the first running task of the job should be done. */
function jobFreeAt(state: FarmState, { tasks }: JobEntry): number {
  let freeAt = Number.POSITIVE_INFINITY;
  for (const task of tasks) freeAt = Math.min(freeAt, task?.trial?.lease?.dueAt ?? freeAt);
  return Number.isFinite(freeAt) ? Math.max(state.now, freeAt) : state.now;
}

/**
 * Device milliseconds of the pool that come before the task: its own lane's, and as much more as
 * other lanes and projects get by their rates while those are served.
 */
function workBeforeMs(state: FarmState, pool: PoolEntry, entry: TaskEntry): number {
  const { lane } = entry.lot;
  if (lane === undefined) return 0;
  const taskMs = state.costs.typical(pool.id);
  let ownTasks = 0;
  for (const lot of lane.peek(limits.positionTasksMax)) {
    if (lot === entry.lot) break;
    ownTasks += lot.size;
  }
  ownTasks += placeIn(entry);
  const line = pool.line.lineOf(entry.job.project);
  const rates = line.lanes().reduce((sum, each) => sum + each.turn.rate, 0);
  const projectTasks = Math.min((ownTasks * rates) / lane.turn.rate, line.waiting);
  let tasks = projectTasks;
  for (const { target: other } of pool.line.turns(limits.positionTasksMax)) {
    if (other === line) continue;
    const lead = Math.max(0, line.turn.pass - other.turn.pass) / taskMs;
    const share = (projectTasks * other.project.weight) / line.project.weight;
    tasks += Math.min(other.waiting, share + lead * other.project.weight);
  }
  return tasks * taskMs;
}

/** Tasks of its own lot that come before it. */
function placeIn({ previous }: TaskEntry): number {
  let place = 0;
  for (let before = previous; before !== undefined; before = before.previous) place += 1;
  return place;
}
