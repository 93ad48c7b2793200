/** What happens to leases: granted, confirmed by heartbeats, adopted, reported, lost. */
import { type LeasedTask, limits, taskIdOf } from "@zfarm/contract";
import { describeLostWorker, judgeAttempt } from "./attempt-verdict.ts";
import { giveBackCost } from "./cost-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { strikeWorker } from "./health-rules.ts";
import { countStart, countStop, freeWorker } from "./running-rules.ts";
import type { ReleaseReason } from "./scheduler-effect.ts";
import type { AttemptReported } from "./scheduler-event.ts";
import type { TaskEntry } from "./task-entry.ts";
import {
  comeBack,
  failTask,
  keepLatents,
  noteCrash,
  spendAttempt,
  takeBack,
} from "./task-rules.ts";
import type { LeaseEntry } from "./trial.ts";
import { leaveLine } from "./waiting-rules.ts";
import type { WorkerEntry } from "./worker-entry.ts";

type LeaseTerms = Pick<LeaseEntry, "fence" | "predictedMs" | "chargedMs" | "loraState">;

/** Gives a queued task to a worker, freshly granted or adopted. */
export function holdLease(
  state: FarmState,
  entry: TaskEntry,
  holder: LeaseTerms & { readonly worker: WorkerEntry },
): LeaseEntry {
  const { worker, ...terms } = holder;
  const { tried } = entry;
  entry.move("granted");
  leaveLine(state, entry);
  comeBack(state, entry);
  const lease = makeLease(state, entry, { worker, terms });
  tried.lease = lease;
  countStart(state, entry);
  state.timers.set(tried.turnTimer, lease.expiresAt);
  return lease;
}

/** Gives a leased task to a second worker too; the first outcome wins. */
export function holdRival(
  state: FarmState,
  entry: TaskEntry,
  holder: LeaseTerms & { readonly worker: WorkerEntry },
): LeaseEntry {
  const { worker, ...terms } = holder;
  const lease = makeLease(state, entry, { worker, terms });
  entry.tried.rival = lease;
  return lease;
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
 * Leases that heartbeats leave out for a while are gone: the worker restarted or dropped them. One
 * beat proves nothing, since it may have been sent before the grant arrived, and several that come
 * at once are like one. A task that its worker ended has its outcome, which may be seen late.
 */
export function countUnlisted(
  state: FarmState,
  worker: WorkerEntry,
  running: readonly LeasedTask[],
): void {
  if (worker.leases.size === 0) return;
  const listed = new Set(running.map((leased) => leased.fence));
  for (const entry of worker.leases) {
    const lease = leaseAt(entry, worker);
    if (lease === undefined || listed.has(lease.fence)) continue;
    lease.unlistedSince ??= state.now;
    const isOutcomeKnown = state.reading.readTo(state.now) >= lease.unlistedSince;
    const isLong = state.now >= lease.unlistedSince + limits.unlistedMs;
    if (isLong && isOutcomeKnown) dropLease(state, entry, lease);
  }
}

/** A worker ended an attempt without an outcome. Reports of leases that are over say nothing. */
export function endAttempt(state: FarmState, event: AttemptReported): void {
  const { leased, failure } = event;
  const entry = state.findTask(taskIdOf(leased));
  if (entry === undefined) return;
  const lease = leaseOf(entry, leased.fence);
  if (lease === undefined && !isUnjudged(entry, leased.fence)) return;
  if (leased.fence > entry.tried.releasedFence) entry.tried.releasedFence = leased.fence;
  const verdict = judgeAttempt(failure);
  if (failure !== undefined) strikeWorker(state, entry, { worker: event.worker, failure });
  const isUnharmed = verdict.kind === "hand-back";
  if (isUnharmed && lease !== undefined) giveBackCost(entry, lease);
  const isOver = releaseLease(state, entry, {
    lease,
    reason: isUnharmed ? "handed-back" : "attempt-failed",
  });
  // The other try goes on and decides, unless this failure would come everywhere.
  if (!isOver && verdict.kind !== "fail") {
    if (verdict.kind === "crash") countCrash(state, entry, { event, lease, isOver });
    return;
  }
  supersede(state, entry);
  // An attempt of an earlier leader was never leased here: its task may wait, in line or aside.
  leaveLine(state, entry);
  comeBack(state, entry);
  if (verdict.kind === "hand-back") {
    if (failure === undefined) keepLatents(state, entry, event.latents);
    takeBack(state, entry, verdict.failure);
  } else if (verdict.kind === "spend") spendAttempt(state, entry, verdict.failure);
  else if (verdict.kind === "fail") {
    failTask(state, entry, { failure: verdict.failure, reason: "not-retryable" });
  } else countCrash(state, entry, { event, lease, isOver: true });
}

function countCrash(
  state: FarmState,
  entry: TaskEntry,
  crash: { event: AttemptReported; lease: LeaseEntry | undefined; isOver: boolean },
): void {
  const { event, lease, isOver } = crash;
  const worker = lease?.worker ?? event.worker;
  const failure = event.failure ?? describeLostWorker(worker);
  noteCrash(state, entry, { worker, failure, isOver });
}

/** The time of the task's leases has come to be looked at. */
export function expireLeases(state: FarmState, entry: TaskEntry): void {
  const { trial } = entry;
  for (const lease of [trial?.rival, trial?.lease]) {
    if (lease === undefined || lease.expiresAt > state.now) continue;
    loseLease(state, entry, { lease, reason: "lease-expired" });
  }
  const left = entry.trial?.lease;
  if (left !== undefined && entry.trial !== undefined) {
    state.timers.set(entry.trial.turnTimer, left.expiresAt);
  }
}

function makeLease(
  state: FarmState,
  entry: TaskEntry,
  holder: { worker: WorkerEntry; terms: LeaseTerms },
): LeaseEntry {
  const { worker, terms } = holder;
  worker.busyUntil = Math.max(worker.busyUntil, state.now) + terms.predictedMs;
  const lease: LeaseEntry = {
    ...terms,
    worker: worker.id,
    attempt: entry.tried.nextAttempt,
    grantedAt: state.now,
    expiresAt: state.now + limits.leaseMs,
    dueAt: worker.busyUntil,
    isListed: false,
    unlistedSince: undefined,
    step: 0,
  };
  worker.leases.add(entry);
  if (entry.lot.runsAlone) worker.alone = entry;
  return lease;
}

/** One line of a worker's list: its lease, one to adopt, or one that is over. */
function confirmLease(state: FarmState, worker: WorkerEntry, leased: LeasedTask): void {
  const entry = state.findTask(taskIdOf(leased));
  const lease = entry === undefined ? undefined : leaseOf(entry, leased.fence);
  if (lease?.worker === worker.id) {
    // The timer stays where it is and is moved when it fires: once a lease, not once a beat.
    lease.expiresAt = state.now + limits.leaseMs;
    lease.isListed = true;
    lease.unlistedSince = undefined;
    lease.step = leased.step;
    return;
  }
  if (entry !== undefined && isAdoptable(entry, leased)) {
    adoptLease(state, entry, { worker, leased });
    return;
  }
  // An unknown task may well be alive while the index is incomplete, and for a moment after: the
  // leader before may have granted what was stored last. Later beats list it again.
  const isUnknown = entry === undefined && !state.recent.has(taskIdOf(leased));
  if (isUnknown && state.now < state.knowsAllFrom) return;
  // A worker that reported an attempt lists it until the answer arrives: it needs no telling.
  if (!state.isRebuilt || entry?.trial?.releasedFence === leased.fence) return;
  const reason = entry === undefined ? "task-ended" : "lease-superseded";
  state.emit({ kind: "control-cancel", reason, worker: worker.id, leased });
}

function leaseOf({ trial }: TaskEntry, fence: bigint): LeaseEntry | undefined {
  if (trial?.lease?.fence === fence) return trial.lease;
  return trial?.rival?.fence === fence ? trial.rival : undefined;
}

function leaseAt({ trial }: TaskEntry, worker: WorkerEntry): LeaseEntry | undefined {
  if (trial?.lease?.worker === worker.id) return trial.lease;
  return trial?.rival?.worker === worker.id ? trial.rival : undefined;
}

/**
 * Whether an attempt that this leader did not grant has not been judged yet: it was granted by an
 * earlier one and its worker reported before any heartbeat could show the lease.
 */
function isUnjudged({ trial }: TaskEntry, fence: bigint): boolean {
  if (trial === undefined) return true;
  if (trial.lease !== undefined || trial.aside === "ending") return false;
  return fence > (trial.lastLease?.fence ?? 0n) && fence > trial.releasedFence;
}

/** A lease is taken over if nothing newer is known: no other lease, no report, no end. */
function isAdoptable({ trial }: TaskEntry, leased: LeasedTask): boolean {
  if (trial === undefined) return true;
  if (trial.aside === "ending" || leased.fence <= trial.releasedFence) return false;
  return trial.lease === undefined || leased.fence > trial.lease.fence;
}

/** Keeps a lease that this leader did not give out, so that nothing is rendered twice. */
function adoptLease(
  state: FarmState,
  entry: TaskEntry,
  holder: { worker: WorkerEntry; leased: LeasedTask },
): void {
  const { worker, leased } = holder;
  supersede(state, entry);
  const { fence } = leased;
  const loraState = entry.lot.adapters.length === 0 ? "none" : "warm";
  const pool = entry.job.pool.id;
  const predictedMs = state.costs.predict({ pool, shape: entry.lot.shape, lora: loraState });
  const terms = { fence, predictedMs, chargedMs: 0, loraState } as const;
  const lease = holdLease(state, entry, { worker, ...terms });
  lease.isListed = true;
  lease.step = leased.step;
  const { id } = entry;
  state.emit({ kind: "lease-adopted", reason: "listed-by-worker", id, worker: worker.id, fence });
}

/** Ends the task's leases, if it has any, and tells their workers to stop. */
function supersede(state: FarmState, entry: TaskEntry): void {
  const reason = "lease-superseded";
  for (const lease of [entry.trial?.rival, entry.trial?.lease]) {
    if (lease === undefined) continue;
    releaseLease(state, entry, { lease, reason });
    const { worker, fence, step } = lease;
    state.emit({ kind: "control-cancel", reason, worker, leased: { ...entry.id, fence, step } });
  }
}

/**
 * A grant that never arrived costs nothing; a task that was held and vanished is a crash. So is
 * one whose grants get lost again and again: it may kill its workers before they can speak.
 */
function dropLease(state: FarmState, entry: TaskEntry, lease: LeaseEntry): void {
  entry.tried.grantsLost += lease.isListed ? 0 : 1;
  if (lease.isListed || entry.tried.grantsLost > limits.grantsLostMax) {
    loseLease(state, entry, { lease, reason: "lease-dropped" });
    return;
  }
  giveBackCost(entry, lease);
  if (!releaseLease(state, entry, { lease, reason: "grant-lost" })) return;
  takeBack(state, entry, undefined);
}

/** The worker died with the task, as far as anybody can tell. */
function loseLease(
  state: FarmState,
  entry: TaskEntry,
  loss: { lease: LeaseEntry; reason: ReleaseReason },
): void {
  const failure = describeLostWorker(loss.lease.worker);
  strikeWorker(state, entry, { worker: loss.lease.worker, failure });
  const isOver = releaseLease(state, entry, loss);
  noteCrash(state, entry, { worker: loss.lease.worker, failure, isOver });
}

/**
 * Ends one lease. Gives true where it was the last one: the task is queued then but in no lot,
 * and the caller decides what follows. A rival that is left takes the place of the first.
 */
function releaseLease(
  state: FarmState,
  entry: TaskEntry,
  release: { lease: LeaseEntry | undefined; reason: ReleaseReason },
): boolean {
  const { lease, reason } = release;
  const { tried } = entry;
  if (lease === undefined) return tried.lease === undefined;
  freeWorker(state, entry, lease);
  tried.lastLease = lease;
  const { id } = entry;
  const attempts = tried.nextAttempt - 1;
  const { worker, fence, attempt, grantedAt } = lease;
  const { traceparent } = entry.lot.template;
  const ended = { fence, attempt, grantedAt, traceparent };
  state.emit({ kind: "task-released", reason, id, worker, attempts, ...ended });
  if (tried.rival !== undefined) {
    if (lease === tried.lease) tried.lease = tried.rival;
    tried.rival = undefined;
    state.timers.set(tried.turnTimer, tried.lease?.expiresAt ?? state.now);
    return false;
  }
  tried.lease = undefined;
  entry.move("released");
  countStop(state, entry);
  state.timers.clear(tried.turnTimer);
  return true;
}
