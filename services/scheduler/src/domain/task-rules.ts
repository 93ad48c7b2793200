/** What happens to tasks: stored, rewritten, put in line, set aside, ended. */
import {
  limits,
  type Outcome,
  OutcomeKind,
  type TaskFailure,
  type TerminalTaskState,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import { describeExpiry, describeTooManyHandBacks } from "./attempt-verdict.ts";
import { type FarmState, jobKey } from "./farm-state.ts";
import type { LinePlace } from "./pool-line.ts";
import type { OutcomeReason } from "./scheduler-effect.ts";
import type { SchedulerEvent } from "./scheduler-event.ts";
import { TaskEntry } from "./task-entry.ts";

type EventOf<Kind extends SchedulerEvent["kind"]> = Extract<SchedulerEvent, { kind: Kind }>;

/** A new task joins the line; a known one was rewritten, by this leader or by an earlier one. */
export function storeTask(state: FarmState, event: EventOf<"task-stored">): void {
  const { task, revision } = event;
  if (task.spec === undefined) return;
  const id = taskIdOf(task.spec);
  const known = state.tasks.get(taskKey(id));
  if (known !== undefined) {
    if (revision > known.revision) known.revision = revision;
    if (task.attempts > known.task.attempts) known.task = task;
    return;
  }
  // The outcome came first: by the other log, or because a create was retried after the end.
  if (state.recent.has(taskKey(id))) {
    state.emit({ kind: "remove-task", reason: "ended-before", id, revision });
    return;
  }
  const entry = new TaskEntry({ task, spec: task.spec, revision });
  state.tasks.set(entry.key, entry);
  indexByJob(state, entry);
  state.pool(entry.pool).queued += 1;
  if (entry.expiresAt !== Number.POSITIVE_INFINITY) {
    state.timers.set(entry.expireTimer, entry.expiresAt);
  }
  const place = task.attempts > 0 ? "front" : "back";
  queueTask(state, entry, place);
  if (place === "back" && state.isRebuilt) announceArrival(state, entry);
}

/** A rewrite ended. If the task changed meanwhile its message is rewritten again. */
export function finishRewrite(state: FarmState, event: EventOf<"task-rewritten">): void {
  const { id, revision } = event;
  const entry = state.tasks.get(taskKey(id));
  if (entry === undefined) {
    // The task ended while its message was rewritten: the new message goes too.
    if (revision !== undefined) {
      state.emit({ kind: "remove-task", reason: "task-ended", id, revision });
    }
    return;
  }
  const wasOutrun = entry.rewrite === "outrun";
  entry.rewrite = "none";
  if (revision !== undefined && revision > entry.revision) entry.revision = revision;
  if (wasOutrun) rewriteTask(state, entry);
}

/** The outcome is the truth: the task leaves, and whoever still works on it is told to stop. */
export function settleTask(state: FarmState, event: EventOf<"outcome-seen">): void {
  const key = taskKey(event.id);
  state.recent.add(key);
  const entry = state.tasks.get(key);
  if (entry === undefined) return;
  const { lease } = entry;
  const pool = state.pool(entry.pool);
  // The outcome counts whatever the state: a lease that was given up may still have won.
  if (entry.state === "leased") pool.leased -= 1;
  else pool.queued -= 1;
  entry.move(terminalStateOf(event.outcome));
  leaveLine(state, entry);
  state.timers.clear(entry.expireTimer);
  if (lease !== undefined) {
    entry.lease = undefined;
    state.workers.get(lease.worker)?.leases.delete(key);
    // Whoever published this outcome needs no telling.
    if (lease.fence !== event.outcome.fence) {
      const leased = { ...entry.id, fence: lease.fence, step: lease.step };
      const { worker } = lease;
      state.emit({ kind: "control-cancel", reason: "task-ended", worker, leased });
    }
  }
  forgetTask(state, entry);
  const { id, revision } = entry;
  state.emit({ kind: "remove-task", reason: "task-ended", id, revision });
}

/** Puts a queued task in line, unless its time is over. */
export function queueTask(state: FarmState, entry: TaskEntry, place: LinePlace): void {
  entry.aside = undefined;
  entry.waitingSince = state.now;
  if (entry.expiresAt <= state.now) {
    expireTask(state, entry);
    return;
  }
  const pool = state.pool(entry.pool);
  pool.line.add(entry, place);
  state.touched.add(pool);
}

/** Takes a task out of the line and stops its delay. */
export function leaveLine(state: FarmState, entry: TaskEntry): void {
  state.pool(entry.pool).line.remove(entry);
  state.timers.clear(entry.turnTimer);
}

/** Charges an attempt to a queued task: it is tried again at the front, or was tried enough. */
export function spendAttempt(state: FarmState, entry: TaskEntry, failure: TaskFailure): void {
  entry.task = { ...entry.task, attempts: entry.task.attempts + 1, lastFailure: failure };
  if (entry.task.attempts >= limits.attemptsMax) {
    failTask(state, entry, { failure, reason: "attempts-exhausted" });
    return;
  }
  rewriteTask(state, entry);
  queueTask(state, entry, "front");
}

/**
 * Takes a queued task back for nothing, up to a bound. After a fault of others it waits longer
 * each time: a store that is down must not spend the hand-backs of every task in a second.
 */
export function takeBack(
  state: FarmState,
  entry: TaskEntry,
  failure: TaskFailure | undefined,
): void {
  entry.handBacks += 1;
  if (entry.handBacks > limits.handBacksMax) {
    spendAttempt(state, entry, failure ?? describeTooManyHandBacks(entry.handBacks));
    return;
  }
  if (failure === undefined) {
    queueTask(state, entry, "front");
    return;
  }
  const delayMs = limits.handBackDelayMs * 2 ** (entry.handBacks - 1);
  entry.aside = "delayed";
  state.timers.set(entry.turnTimer, state.now + Math.min(delayMs, limits.handBackDelayMsMax));
}

/** Ends a queued task that nobody started in time. */
export function expireTask(state: FarmState, entry: TaskEntry): void {
  const failure = describeExpiry();
  endTask(state, entry, { kind: OutcomeKind.EXPIRED, failure, reason: "expired" });
}

/** Ends a queued task whose last attempt failed for good. */
export function failTask(
  state: FarmState,
  entry: TaskEntry,
  end: { failure: TaskFailure; reason: OutcomeReason },
): void {
  endTask(state, entry, { kind: OutcomeKind.FAILED, ...end });
}

/**
 * Asks for the outcome of a queued task. The task stays, in no line, until an outcome is seen:
 * its own or one that was published first.
 */
function endTask(
  state: FarmState,
  entry: TaskEntry,
  end: { kind: Outcome["kind"]; failure: TaskFailure; reason: OutcomeReason },
): void {
  leaveLine(state, entry);
  entry.aside = "ending";
  const last = entry.lastLease;
  const outcome: Outcome = {
    spec: entry.spec,
    kind: end.kind,
    failure: end.failure,
    worker: last?.worker ?? "",
    fence: last?.fence ?? 0n,
    attempt: last?.attempt ?? 0,
    endTime: new Date(state.now),
  };
  state.emit({ kind: "publish-outcome", reason: end.reason, id: entry.id, outcome });
}

/** Said before the grant that may follow at once, so that who watches hears of both in order. */
function announceArrival(state: FarmState, entry: TaskEntry): void {
  const max = limits.positionTasksMax;
  const position = state.pool(entry.pool).line.countBefore(entry, max);
  if (position === undefined || position >= max) return;
  state.emit({ kind: "announce-position", reason: "just-arrived", id: entry.id, position });
}

/** One rewrite of a task at a time: the next one needs the revision that this one gives. */
function rewriteTask(state: FarmState, entry: TaskEntry): void {
  if (entry.rewrite !== "none") {
    entry.rewrite = "outrun";
    return;
  }
  entry.rewrite = "under-way";
  const { id, task, revision } = entry;
  state.emit({ kind: "rewrite-task", reason: "attempt-spent", id, task, revision });
}

/** Jobs have an index of their own so that a question about one never walks all tasks. */
function indexByJob(state: FarmState, entry: TaskEntry): void {
  const key = jobKey(entry.id);
  const siblings = state.jobs.get(key);
  if (siblings === undefined) state.jobs.set(key, new Set([entry]));
  else siblings.add(entry);
}

function forgetTask(state: FarmState, entry: TaskEntry): void {
  state.tasks.delete(entry.key);
  const key = jobKey(entry.id);
  const siblings = state.jobs.get(key);
  siblings?.delete(entry);
  if (siblings?.size === 0) state.jobs.delete(key);
}

function terminalStateOf(outcome: Outcome): TerminalTaskState {
  switch (outcome.kind) {
    case OutcomeKind.SUCCEEDED:
      return "succeeded";
    case OutcomeKind.CANCELED:
      return "canceled";
    case OutcomeKind.EXPIRED:
      return "expired";
    default:
      // A kind this version does not know still ends the task.
      return "failed";
  }
}
