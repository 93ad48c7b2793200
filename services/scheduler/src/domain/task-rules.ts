/** What happens to tasks: stored, put in line, set aside, ended. */
import {
  describeFailure,
  type LatentCheckpoint,
  limits,
  type Outcome,
  OutcomeKind,
  shapeOf,
  type TaskFailure,
  type TaskSpec,
  type TerminalTaskState,
  taskIdOf,
  WaitReason,
  type WorkerId,
} from "@zfarm/contract";
import { describeExpiry, describeTooManyHandBacks } from "./attempt-verdict.ts";
import { settleCost } from "./cost-rules.ts";
import { type FarmState, jobKey } from "./farm-state.ts";
import { praiseWorker } from "./health-rules.ts";
import type { JobEntry } from "./job-entry.ts";
import { heedMessage, rewriteTask, takeNewer } from "./message-rules.ts";
import { noteInflow } from "./pool-work.ts";
import { countStop, freeWorker } from "./running-rules.ts";
import type { OutcomeReason } from "./scheduler-effect.ts";
import type { SchedulerEvent } from "./scheduler-event.ts";
import { servingWorkers } from "./serving.ts";
import { TaskEntry } from "./task-entry.ts";
import type { LeaseEntry, Trial } from "./trial.ts";
import { joinLine, leaveLine, openLot, rehome } from "./waiting-rules.ts";

type EventOf<Kind extends SchedulerEvent["kind"]> = Extract<SchedulerEvent, { kind: Kind }>;

/** A new task joins the line; a known one was rewritten, by this leader or by an earlier one. */
export function storeTask(state: FarmState, event: EventOf<"task-stored">): void {
  const { task, revision } = event;
  const { spec } = task;
  if (spec === undefined) return;
  const id = taskIdOf(spec);
  const known = state.findTask(id);
  if (known !== undefined) return heedMessage(state, known, event);
  // The outcome came first: by the other log, or because a create was retried after the end.
  if (state.recent.has(id)) {
    state.emit({ kind: "remove-task", reason: "ended-before", id, revision });
    return;
  }
  const entry = createEntry(state, spec, event);
  takeNewer(entry, task);
  const isFresh = entry.trial === undefined;
  if (state.isRebuilt) entry.job.pool.arrivals.note(entry.lot.shape, state.now);
  if (isFresh) placeTask(state, entry);
  else queueTask(state, entry);
  if (!state.isRebuilt) return;
  noteInflow(state, entry);
  if (isFresh) state.arrived.push(entry);
}

/** The outcome is the truth: the task leaves, and whoever still works on it is told to stop. */
export function settleTask(state: FarmState, event: EventOf<"outcome-seen">): void {
  const { id, outcome } = event;
  const isNews = state.recent.add(id);
  if (isNews && outcome.kind === OutcomeKind.FAILED) state.countFailure(id);
  const entry = state.findTask(id);
  if (entry === undefined) {
    const job = state.jobs.get(jobKey(id));
    if (job !== undefined) checkFailureBudget(state, job);
    return;
  }
  settleCost(state, entry, outcome);
  if (outcome.kind === OutcomeKind.SUCCEEDED) praiseWorker(state, outcome.worker);
  const trial = entry.trial;
  const leases = [trial?.lease, trial?.rival].filter((lease) => lease !== undefined);
  // The outcome counts whatever the state: a lease that was given up may still have won.
  if (entry.state === "leased") countStop(state, entry);
  leaveLine(state, entry);
  comeBack(state, entry);
  entry.move(terminalStateOf(outcome));
  if (trial !== undefined) state.timers.clear(trial.turnTimer);
  for (const lease of leases) endLease(state, entry, { lease, outcome });
  forgetTask(state, entry);
  const revision = BigInt(entry.revision);
  state.emit({ kind: "remove-task", reason: "task-ended", id, revision });
  checkFailureBudget(state, entry.job);
}

/** Puts a queued task in line behind those that wait for the same. */
export function queueTask(state: FarmState, entry: TaskEntry): void {
  const { trial } = entry;
  const kind = trial === undefined ? "fresh" : trial.crashes.crashes > 0 ? "suspected" : "retried";
  rehome(entry, kind);
  placeTask(state, entry);
}

/** Puts a task that is queued in its lot in line, unless its time is over. */
function placeTask(state: FarmState, entry: TaskEntry): void {
  if (entry.lot.expiresAt <= state.now) {
    expireTask(state, entry);
    return;
  }
  if (entry.job.failed >= entry.job.failedMax) {
    failByBudget(state, entry);
    return;
  }
  joinLine(state, entry);
}

/** Charges an attempt to a queued task: it is tried again at the front, or was tried enough. */
export function spendAttempt(state: FarmState, entry: TaskEntry, failure: TaskFailure): void {
  const { tried } = entry;
  tried.attempts += 1;
  tried.lastFailure = failure;
  tried.latents = undefined;
  if (tried.attempts >= limits.attemptsMax) {
    failTask(state, entry, { failure, reason: "attempts-exhausted" });
    return;
  }
  rewriteTask(state, entry, "attempt-spent");
  queueTask(state, entry);
}

/**
 * A worker died under the task or was killed by it; it runs alone and elsewhere from now on. Where
 * another try of it goes on, that one decides what follows.
 */
export function noteCrash(
  state: FarmState,
  entry: TaskEntry,
  crash: { worker: WorkerId; failure: TaskFailure; isOver: boolean },
): void {
  const { tried } = entry;
  tried.crashes.noteCrash(crash.worker);
  tried.latents = undefined;
  tried.lastFailure = crash.failure;
  if (!crash.isOver) {
    rewriteTask(state, entry, "attempt-spent");
    return;
  }
  const { workers } = entry.job.pool;
  if (tried.crashes.isPoison(servingWorkers(state, workers))) {
    const where = `${tried.crashes.crashes} crashes on ${tried.crashes.workers.length} workers`;
    const failure = describeFailure("POISONED", `${where}; the last one: ${crash.failure.message}`);
    failTask(state, entry, { failure, reason: "poisoned" });
    return;
  }
  rewriteTask(state, entry, "attempt-spent");
  queueTask(state, entry);
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
  const { tried } = entry;
  tried.handBacks += 1;
  if (tried.handBacks > limits.handBacksMax) {
    spendAttempt(state, entry, failure ?? describeTooManyHandBacks(tried.handBacks));
    return;
  }
  if (failure === undefined || entry.lot.expiresAt <= state.now) {
    queueTask(state, entry);
    return;
  }
  const delayMs = limits.handBackDelayMs * 2 ** (tried.handBacks - 1);
  tried.aside = "delayed";
  tried.backOffReason = failure.reason;
  entry.job.pool.countGated(WaitReason.BACK_OFF, 1);
  const turnsAt = state.now + Math.min(delayMs, limits.handBackDelayMsMax);
  state.timers.set(tried.turnTimer, Math.min(turnsAt, entry.lot.expiresAt));
}

/** Notes what was done of a task that is handed back: whoever gets it next goes on from there. */
export function keepLatents(
  state: FarmState,
  entry: TaskEntry,
  latents: LatentCheckpoint | undefined,
): void {
  if (latents === undefined) return;
  entry.tried.latents = latents;
  rewriteTask(state, entry, "latents-kept");
}

/** A task that was set aside is so no longer: its delay is over, or somebody has it. */
export function comeBack(state: FarmState, { trial, job }: TaskEntry): void {
  if (trial?.aside === undefined) return;
  const isDelayed = trial.aside === "delayed";
  job.pool.countGated(isDelayed ? WaitReason.BACK_OFF : WaitReason.ENDING, -1);
  if (isDelayed) state.timers.clear(trial.turnTimer);
  trial.aside = undefined;
}

/** Ends a queued task that nobody started in time. */
export function expireTask(state: FarmState, entry: TaskEntry): void {
  const failure = describeExpiry();
  endTask(state, entry, { kind: OutcomeKind.EXPIRED, failure, reason: "expired" });
}

/** Ends a queued task for good. */
export function failTask(
  state: FarmState,
  entry: TaskEntry,
  end: { failure: TaskFailure; reason: OutcomeReason },
): void {
  endTask(state, entry, { kind: OutcomeKind.FAILED, ...end });
}

/** Once more tasks of the job have failed than it may, those that wait fail too. */
export function checkFailureBudget(state: FarmState, job: JobEntry): void {
  if (job.failed < job.failedMax) return;
  for (const entry of job.tasks) {
    if (entry?.state !== "queued" || entry.trial?.aside === "ending") continue;
    failByBudget(state, entry);
  }
}

function failByBudget(state: FarmState, entry: TaskEntry): void {
  const { failed, failedMax } = entry.job;
  const text = `${failed} tasks of the job failed; its bound is ${failedMax}`;
  const failure = describeFailure("JOB_FAILURE_BUDGET", text);
  failTask(state, entry, { failure, reason: "job-failure-budget" });
}

/**
 * Asks for the outcome of a queued task. The task stays, in no lot, until an outcome is seen:
 * its own or one that was published first.
 */
function endTask(
  state: FarmState,
  entry: TaskEntry,
  end: { kind: Outcome["kind"]; failure: TaskFailure; reason: OutcomeReason },
): void {
  leaveLine(state, entry);
  comeBack(state, entry);
  const { tried } = entry;
  tried.aside = "ending";
  entry.job.pool.countGated(WaitReason.ENDING, 1);
  const last = tried.lastLease;
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

function createEntry(
  state: FarmState,
  spec: TaskSpec,
  { revision, isBundled }: EventOf<"task-stored">,
): TaskEntry {
  const { image, index } = spec;
  const job = state.openJob(spec);
  const shape = image === undefined ? "" : shapeOf(image);
  const lot = openLot(job, { kind: "fresh", index, spec, shape });
  const entry = new TaskEntry(lot, { index, image, revision: Number(revision), isBundled });
  job.tasks[index] = entry;
  job.live += 1;
  job.pool.queued += 1;
  job.project.queued += 1;
  job.pool.line.lineOf(job.project).live += 1;
  state.liveTasks += 1;
  return entry;
}

/** Whoever published this outcome needs no telling. */
function endLease(
  state: FarmState,
  entry: TaskEntry,
  end: { lease: LeaseEntry; outcome: Outcome },
): void {
  const { worker, fence, step } = end.lease;
  freeWorker(state, entry, end.lease);
  if (fence === end.outcome.fence) return;
  const leased = { ...entry.id, fence, step };
  state.emit({ kind: "control-cancel", reason: "task-ended", worker, leased });
}

function forgetTask(state: FarmState, entry: TaskEntry): void {
  const { job } = entry;
  job.tasks[entry.index] = undefined;
  job.live -= 1;
  job.pool.queued -= 1;
  job.project.queued -= 1;
  job.pool.line.lineOf(job.project).live -= 1;
  state.liveTasks -= 1;
  clearTrial(entry.trial);
  if (job.live === 0) state.forgetJob(job);
}

/** The pools' lists of leases hold entries; what a task leaves behind must not hold its leases. */
function clearTrial(trial: Trial | undefined): void {
  if (trial === undefined) return;
  trial.lease = undefined;
  trial.rival = undefined;
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
