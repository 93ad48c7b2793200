/** Keeps account of what runs: for the pool, the project and the job, whose bounds rest on it. */
import type { FarmState } from "./farm-state.ts";
import type { ProjectEntry } from "./project-entry.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { LeaseEntry } from "./trial.ts";
import { regateJob } from "./waiting-rules.ts";

/** A task was leased. */
export function countStart(state: FarmState, entry: TaskEntry): void {
  count(state, entry, 1);
}

/** A leased task has no lease any more; it is queued again or ends. */
export function countStop(state: FarmState, entry: TaskEntry): void {
  count(state, entry, -1);
}

/** The task's lease on its worker is over; what could not run beside it may start there now. */
export function freeWorker(state: FarmState, entry: TaskEntry, lease: LeaseEntry): void {
  const worker = state.workers.get(lease.worker);
  if (worker === undefined) return;
  worker.leases.delete(entry);
  if (worker.alone === entry) worker.alone = undefined;
  if (worker.ask?.node.list !== undefined) state.touched.add(worker.pool);
}

/** What a project may do has changed, in every pool. */
export function refreshProject(state: FarmState, project: ProjectEntry): void {
  for (const line of project.lines) {
    const pool = state.pool(line.pool);
    pool.line.refresh(line);
    state.touched.add(pool);
  }
}

function count(state: FarmState, { job }: TaskEntry, by: 1 | -1): void {
  const { pool, project } = job;
  pool.leased += by;
  pool.queued -= by;
  project.running += by;
  project.queued -= by;
  job.running += by;
  if (job.runningMax !== Number.POSITIVE_INFINITY) regateJob(state, job);
  if (project.guarantee > 0 || project.burst !== Number.POSITIVE_INFINITY) {
    refreshProject(state, project);
  }
}
