/** What happens because time passes: leases and tasks expire, delays end, positions are told. */
import { limits } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import { expireLease } from "./lease-rules.ts";
import type { TaskEntry } from "./task-entry.ts";
import { expireTask, queueTask } from "./task-rules.ts";
import type { Wake } from "./wake.ts";
import { answerEmpty, checkWorker, dispatch, meetWorker } from "./worker-rules.ts";

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
  const graceMs = state.tasks.size > 0 ? limits.takeoverGraceMs : 0;
  state.grantsFrom = Math.max(state.now, (state.listensSince ?? state.now) + graceMs);
  for (const worker of state.workers.values()) meetWorker(state, worker);
  for (const pool of state.pools.values()) state.touched.add(pool);
}

/** Serves the pools that changed, once grants may be made; until then they stay on the list. */
export function dispatchTouched(state: FarmState): void {
  if (state.now < state.grantsFrom) return;
  for (const pool of state.touched) dispatch(state, pool);
  state.touched.clear();
}

/** Tells the first of each line how far they are, once in a while. */
export function announcePositions(state: FarmState): void {
  if (state.now < state.positionsAt) return;
  state.positionsAt = state.now + limits.positionEveryMs;
  for (const pool of state.pools.values()) {
    let position = 0;
    for (const { id } of pool.line.preview(limits.positionTasksMax)) {
      state.emit({ kind: "announce-position", reason: "still-waiting", id, position });
      position += 1;
    }
  }
}

function fire(state: FarmState, wake: Wake): void {
  switch (wake.kind) {
    case "task-turns":
      turnTask(state, wake.entry);
      return;
    case "task-expires":
      // A task that runs may finish; when its lease ends without an outcome it expires then.
      if (wake.entry.state === "queued" && wake.entry.aside !== "ending") {
        expireTask(state, wake.entry);
      }
      return;
    case "ask-held":
      answerEmpty(state, wake.ask, "nothing-to-do");
      return;
    case "worker-silent":
      checkWorker(state, wake.worker);
      return;
  }
}

function turnTask(state: FarmState, entry: TaskEntry): void {
  if (entry.lease !== undefined) expireLease(state, entry, entry.lease);
  else if (entry.aside === "delayed") queueTask(state, entry, "front");
}
