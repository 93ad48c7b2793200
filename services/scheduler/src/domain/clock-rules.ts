/** What happens because time passes: leases and tasks expire, delays and waits end. */
import { limits } from "@zfarm/contract";
import { answerEmpty } from "./ask-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { healWithTime } from "./health-rules.ts";
import { expireLeases } from "./lease-rules.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { announcePositions } from "./position-rules.ts";
import { prewarm } from "./shelf-rules.ts";
import { speculate } from "./speculate-rules.ts";
import type { TaskEntry } from "./task-entry.ts";
import { comeBack, expireTask, queueTask } from "./task-rules.ts";
import type { Wake } from "./wake.ts";
import { checkWorker, meetWorker } from "./worker-rules.ts";

/** Fires everything that is due, before the event of this step is looked at. */
export function fireTimers(state: FarmState): void {
  for (let due = state.timers.popDue(state.now); due !== undefined; ) {
    fire(state, due);
    due = state.timers.popDue(state.now);
  }
}

/**
 * The index is complete. With live tasks in it, workers get time to say what they hold; what
 * they said during the rebuild counts, and so does the time they had for it.
 */
export function endRebuild(state: FarmState): void {
  const graceMs = state.liveTasks > 0 ? limits.takeoverGraceMs : 0;
  state.grantsFrom = Math.max(state.now, (state.listensSince ?? state.now) + graceMs);
  state.knowsAllFrom = state.now + limits.takeoverGraceMs;
  for (const worker of state.workers.values()) meetWorker(state, worker);
  for (const pool of state.pools.values()) state.touched.add(pool);
}

/** Whatever is done now and then rather than at once. */
export function tick(state: FarmState): void {
  announcePositions(state);
  if (!state.mayGrant) return;
  for (const pool of state.pools.values()) {
    prewarm(state, pool);
    speculate(state, pool);
  }
  if (state.now < state.sweptAt + limits.forgetEveryMs) return;
  state.sweptAt = state.now;
  healWithTime(state);
  for (const pool of state.pools.values()) pool.age(state.elapsedMs);
  sweepProjects(state);
}

function sweepProjects(state: FarmState): void {
  for (const project of state.projects.values()) {
    const isIdle = project.queued === 0 && project.running === 0 && project.lines.size === 0;
    if (isIdle && project.policy === undefined && !project.isIsolated) {
      state.projects.delete(project.id);
    }
  }
}

function fire(state: FarmState, wake: Wake): void {
  switch (wake.kind) {
    case "task-turns":
      turnTask(state, wake.entry);
      return;
    case "lot-expires":
      // Tasks that run may finish; when their leases end without an outcome they expire then.
      expireLot(state, wake.lot);
      return;
    case "ask-held":
      answerEmpty(state, wake.ask, "nothing-to-do");
      return;
    case "worker-silent":
      checkWorker(state, wake.worker);
      return;
    case "hold-ends":
      endHolds(state, wake.pool);
      return;
  }
}

/** The timer stands at the earliest end of several waits; the next one needs it again. */
function endHolds(state: FarmState, pool: PoolEntry): void {
  state.touched.add(pool);
  const next = pool.line.nextHoldEnd(state.now);
  if (next !== undefined) state.timers.set(pool.holdTimer, next);
}

function expireLot(state: FarmState, lot: Lot): void {
  for (let { first } = lot; first !== undefined; first = lot.first) expireTask(state, first);
}

function turnTask(state: FarmState, entry: TaskEntry): void {
  if (entry.trial?.lease !== undefined) expireLeases(state, entry);
  else if (entry.trial?.aside === "delayed") {
    comeBack(state, entry);
    queueTask(state, entry);
  }
}
