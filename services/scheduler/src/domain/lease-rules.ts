/** What happens to leases: granted, confirmed by heartbeats, adopted, reported, lost. */
import { type LeasedTask, limits, taskIdOf, taskKey } from "@zfarm/contract";
import { describeLostWorker, judgeAttempt } from "./attempt-verdict.ts";
import type { FarmState } from "./farm-state.ts";
import type { ReleaseReason } from "./scheduler-effect.ts";
import type { AttemptReported } from "./scheduler-event.ts";
import type { LeaseEntry, TaskEntry } from "./task-entry.ts";
import { failTask, leaveLine, spendAttempt, takeBack } from "./task-rules.ts";
import type { WorkerEntry } from "./worker-entry.ts";

/** Gives a queued task to a worker, freshly granted or adopted. */
export function holdLease(
  state: FarmState,
  entry: TaskEntry,
  holder: { worker: WorkerEntry; fence: bigint },
): LeaseEntry {
  const pool = state.pool(entry.pool);
  entry.move("granted");
  pool.queued -= 1;
  pool.leased += 1;
  leaveLine(state, entry);
  entry.aside = undefined;
  entry.lease = {
    worker: holder.worker.id,
    fence: holder.fence,
    attempt: entry.task.attempts + 1,
    expiresAt: state.now + limits.leaseMs,
    isListed: false,
    unlistedBeats: 0,
    step: 0,
  };
  holder.worker.leases.set(entry.key, entry);
  state.timers.set(entry.turnTimer, entry.lease.expiresAt);
  return entry.lease;
}

/** What a worker says it runs: extends its leases, adopts older ones, stops what is over. */
export function confirmLeases(
  state: FarmState,
  worker: WorkerEntry,
  running: readonly LeasedTask[],
): void {
  for (const leased of running) confirmLease(state, worker, leased);
}

/**
 * Leases that heartbeats leave out again and again are gone: the worker restarted or dropped
 * them. One beat proves nothing, since it may have been sent before the grant arrived.
 */
export function countUnlisted(
  state: FarmState,
  worker: WorkerEntry,
  running: readonly LeasedTask[],
): void {
  if (worker.leases.size === 0) return;
  const listed = new Set(running.map((leased) => leased.fence));
  for (const entry of worker.leases.values()) {
    const { lease } = entry;
    if (lease === undefined || listed.has(lease.fence)) continue;
    lease.unlistedBeats += 1;
    if (lease.unlistedBeats >= limits.unlistedBeatsMax) dropLease(state, entry, lease);
  }
}

/** A worker ended an attempt without an outcome. Reports of leases that are over say nothing. */
export function endAttempt(state: FarmState, event: AttemptReported): void {
  const entry = state.tasks.get(taskKey(taskIdOf(event.leased)));
  if (entry === undefined || !isOpenAttempt(entry, event.leased.fence)) return;
  entry.releasedFence = event.leased.fence;
  const verdict = judgeAttempt(event.failure);
  const reason = verdict.kind === "hand-back" ? "handed-back" : "attempt-failed";
  releaseLease(state, entry, reason);
  // An attempt of an earlier leader was never leased here, so its task may stand in the line.
  leaveLine(state, entry);
  if (verdict.kind === "hand-back") takeBack(state, entry, verdict.failure);
  else if (verdict.kind === "spend") spendAttempt(state, entry, verdict.failure);
  else failTask(state, entry, { failure: verdict.failure, reason: "not-retryable" });
}

/** The time of a lease is over, unless heartbeats extended it. Who just vanishes has crashed. */
export function expireLease(state: FarmState, entry: TaskEntry, lease: LeaseEntry): void {
  if (lease.expiresAt > state.now) {
    state.timers.set(entry.turnTimer, lease.expiresAt);
    return;
  }
  releaseLease(state, entry, "lease-expired");
  spendAttempt(state, entry, describeLostWorker(lease.worker));
}

/** One line of a worker's list: its lease, one to adopt, or one that is over. */
function confirmLease(state: FarmState, worker: WorkerEntry, leased: LeasedTask): void {
  const entry = state.tasks.get(taskKey(taskIdOf(leased)));
  const lease = entry?.lease;
  if (entry !== undefined && lease?.worker === worker.id && lease.fence === leased.fence) {
    // The timer stays where it is and is moved when it fires: once a lease, not once a beat.
    lease.expiresAt = state.now + limits.leaseMs;
    lease.isListed = true;
    lease.unlistedBeats = 0;
    lease.step = leased.step;
    return;
  }
  if (entry !== undefined && isAdoptable(entry, leased)) {
    adoptLease(state, entry, { worker, leased });
    return;
  }
  // While the index is incomplete an unknown task may well be alive. And a worker that reported
  // an attempt lists it until the answer arrives: it needs no telling.
  if (!state.isRebuilt || entry?.releasedFence === leased.fence) return;
  const reason = entry === undefined ? "task-ended" : "lease-superseded";
  state.emit({ kind: "control-cancel", reason, worker: worker.id, leased });
}

/**
 * Whether an attempt has not been judged yet: it holds the lease, or it was granted by an earlier
 * leader and its worker reported before any heartbeat could show the lease to this one.
 */
function isOpenAttempt(entry: TaskEntry, fence: bigint): boolean {
  if (entry.lease !== undefined) return entry.lease.fence === fence;
  const judgedFence = entry.lastLease?.fence ?? 0n;
  return entry.aside !== "ending" && fence > judgedFence && fence > entry.releasedFence;
}

/** A lease is taken over if nothing newer is known: no other lease, no report, no end. */
function isAdoptable(entry: TaskEntry, leased: LeasedTask): boolean {
  if (entry.aside === "ending" || leased.fence <= entry.releasedFence) return false;
  return entry.lease === undefined || leased.fence > entry.lease.fence;
}

/** Keeps a lease that this leader did not give out, so that nothing is rendered twice. */
function adoptLease(
  state: FarmState,
  entry: TaskEntry,
  holder: { worker: WorkerEntry; leased: LeasedTask },
): void {
  const { worker, leased } = holder;
  const older = entry.lease;
  if (older !== undefined) {
    releaseLease(state, entry, "lease-superseded");
    const superseded = { ...entry.id, fence: older.fence, step: older.step };
    state.emit({
      kind: "control-cancel",
      reason: "lease-superseded",
      worker: older.worker,
      leased: superseded,
    });
  }
  const lease = holdLease(state, entry, { worker, fence: leased.fence });
  lease.isListed = true;
  lease.step = leased.step;
  const { id } = entry;
  const { fence } = leased;
  state.emit({ kind: "lease-adopted", reason: "listed-by-worker", id, worker: worker.id, fence });
}

/** A grant that never arrived costs nothing; a task that was held and vanished is a crash. */
function dropLease(state: FarmState, entry: TaskEntry, lease: LeaseEntry): void {
  if (lease.isListed) {
    releaseLease(state, entry, "lease-dropped");
    spendAttempt(state, entry, describeLostWorker(lease.worker));
    return;
  }
  releaseLease(state, entry, "grant-lost");
  takeBack(state, entry, undefined);
}

/** Ends the lease and leaves the task queued but in no line: the caller decides what follows. */
function releaseLease(state: FarmState, entry: TaskEntry, reason: ReleaseReason): void {
  const { lease } = entry;
  if (lease === undefined) return;
  const pool = state.pool(entry.pool);
  entry.move("released");
  pool.leased -= 1;
  pool.queued += 1;
  state.timers.clear(entry.turnTimer);
  state.workers.get(lease.worker)?.leases.delete(entry.key);
  entry.lastLease = lease;
  entry.lease = undefined;
  const { attempts } = entry.task;
  state.emit({ kind: "task-released", reason, id: entry.id, worker: lease.worker, attempts });
}
