/** Tells bad workers from bad tasks: strikes, quarantine, and what a project's crashes cost it. */
import { failureRowOf, type TaskFailure, type WorkerId } from "@zfarm/contract";
import { openAsk, shelveAsk } from "./ask-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { refreshProject } from "./running-rules.ts";
import type { TaskEntry } from "./task-entry.ts";

/** An attempt failed on a worker in a way that may be the worker's fault. */
export function strikeWorker(
  state: FarmState,
  entry: TaskEntry,
  strike: { readonly worker: WorkerId; readonly failure: TaskFailure },
): void {
  const { worker, failure } = strike;
  const row = failureRowOf(failure);
  if (!row.retry) return;
  const { pool, project } = entry.job;
  const where = { worker, pool: pool.id, poolWorkers: pool.workers.size };
  const what = { cause: failure.reason, task: entry.key };
  if (state.health.strike({ ...where, ...what }, state.now) === "quarantined") {
    quarantine(state, worker);
  }
  // Only a task that ran alone can be blamed: any other may have died of its neighbours.
  if (row.isCrash !== true || !entry.lot.runsAlone) return;
  state.crashBudget.noteCrash(project.id, state.now);
  const isIsolated = state.crashBudget.isIsolated(project.id, state.now);
  if (isIsolated === project.isIsolated) return;
  project.isIsolated = isIsolated;
  refreshProject(state, project);
}

/** A worker finished a picture. */
export function praiseWorker(state: FarmState, worker: string): void {
  if (worker !== "") state.health.succeed(worker as WorkerId);
}

/** Time heals: workers leave quarantine, projects their isolation. */
export function healWithTime(state: FarmState): void {
  for (const id of state.health.advance(state.now)) reopen(state, id);
  for (const id of state.asideByHand.advance(state.now)) reopen(state, id);
  for (const project of state.projects.values()) {
    if (!project.isIsolated || state.crashBudget.isIsolated(project.id, state.now)) continue;
    project.isIsolated = false;
    refreshProject(state, project);
  }
}

/** What a worker did up to a time is forgotten; it is served again at once. */
export function forgiveWorker(state: FarmState, worker: WorkerId, upTo: number): void {
  if (state.health.forgive(worker, upTo)) reopen(state, worker);
}

function quarantine(state: FarmState, id: WorkerId): void {
  const sentence = state.health.quarantineOf(id, state.now);
  if (sentence === undefined) return;
  const { cause, until } = sentence;
  state.emit({ kind: "worker-quarantined", reason: cause, worker: id, until });
  const ask = state.workers.get(id)?.ask;
  if (ask !== undefined) shelveAsk(ask);
}

function reopen(state: FarmState, id: WorkerId): void {
  const ask = state.workers.get(id)?.ask;
  if (ask !== undefined && ask.node.list === undefined) openAsk(state, ask);
}
