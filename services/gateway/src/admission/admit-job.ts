/**
 * Turns a valid submission into a stored job, once, however often and wherever it is retried.
 *
 * The record is created first (not admitted), then its manifest where the farm keeps them, then
 * every task is stored, then the record is marked admitted; a retry of the same request id finds
 * the record and does what is missing.
 * Refused means refused: when the queue fills up halfway, the record is voided first (so that no
 * concurrent retry admits it) and then every task of it is canceled. A void record keeps its job
 * id for ever, because its tasks have outcomes; the same request id starts over under the job id
 * of the next generation. Nothing is voided where nothing was stored. What holds the job as a
 * whole is stored before its first task, so that no task runs free of it.
 */

import type { Revision, StoredJob } from "@zfarm/broker";
import {
  createJobId,
  FarmError,
  type JobId,
  type JobRecord,
  type JobRef,
  jobIdOfRequest,
  type LoraStack,
  limits,
  type PoolId,
  type TaskSpec,
  taskIdOf,
} from "@zfarm/contract";
import { forEachBounded, type Span } from "@zfarm/runtime";
import { needsControl } from "../domain/scheduling-rules.ts";
import type { Submission } from "../domain/validate-request.ts";
import type { GatewayNeeds } from "../needs.ts";
import { cancelUnfinished } from "./cancel-tasks.ts";
import { drawSeed } from "./draw-seed.ts";
import { type Storing, unbounded } from "./project-quotas.ts";

export interface Admission {
  readonly submission: Submission;
  /** Of the request's content; see request-digest.ts. */
  readonly digest: string;
  /** No lease is granted after this; absent: never. */
  readonly expireTime?: Date;
  /** Adapters of the picture at the same place; absent: the bare model for all. */
  readonly stacks?: readonly (LoraStack | undefined)[];
  /** The job whose failed tasks these are. */
  readonly retryOf?: JobId;
  /** Of the call; absent: no trace. */
  readonly span?: Span;
  /** Runs once the job's id is known and before its first task is stored. */
  readonly beforePublish?: (job: JobRef) => Promise<void>;
}

type AdmitNeeds = Pick<
  GatewayNeeds,
  "broker" | "quotas" | "room" | "feed" | "clock" | "metrics" | "log" | "manifests" | "drain"
>;

/** A record whose submission was refused halfway; it stands for nothing any more. */
export function isVoid(record: JobRecord): boolean {
  return record.requestDigest === "";
}

/**
 * The job's record once every task is stored. REQUEST_ID_REUSED, QUOTA_EXCEEDED, QUEUE_FULL,
 * CONFLICT.
 */
export async function admitJob(needs: AdmitNeeds, admission: Admission): Promise<JobRecord> {
  const span = admission.span?.child("admit job", { kind: "producer" });
  try {
    return await tryAdmit(needs, { ...admission, ...(span && { span }) });
  } catch (thrown) {
    const error = FarmError.from(thrown);
    if (error.code !== "QUEUE_FULL") throw error;
    const retryAfterMs = await needs.drain.estimateMs(admission.submission.images.length);
    throw new FarmError(error.code, error.message, { cause: error, retryAfterMs });
  } finally {
    span?.end();
  }
}

async function tryAdmit(needs: AdmitNeeds, admission: Admission): Promise<JobRecord> {
  const storing = await reserveRoom(needs, admission.submission);
  try {
    return await storeJob(needs, admission, storing);
  } finally {
    storing.end();
  }
}

async function storeJob(
  needs: AdmitNeeds,
  admission: Admission,
  storing: Storing,
): Promise<JobRecord> {
  const { stored, created } = await claimRecord(needs, admission);
  const { record } = stored;
  if (record.requestDigest !== admission.digest) {
    throw new FarmError("REQUEST_ID_REUSED", "this request_id came before with other content");
  }
  if (created) needs.feed.open(refOf(record), record.taskCount);
  await admission.beforePublish?.(refOf(record));
  if (record.admitted) return record;
  const attempt = { stored, created, added: [] };
  const repeatable = admission.submission.requestId !== "";
  try {
    const drawn = specsOf(admission, record);
    const specs = (await needs.manifests?.keep(record, drawn)) ?? drawn;
    await holdJob(needs, record);
    await addTasks(needs, { specs, storing, added: attempt.added });
  } catch (thrown) {
    return await giveUp(needs, { ...attempt, repeatable, error: FarmError.from(thrown) });
  }
  const admitted = await markAdmitted(needs, { ...attempt, repeatable });
  reportAdmitted(needs, admission, { record: admitted, added: countTasks(attempt.added) });
  return admitted;
}

/** One line for the job; those of its call are as many as there are tries. */
function reportAdmitted(
  { log }: AdmitNeeds,
  { submission, retryOf, span }: Admission,
  { record, added }: { readonly record: JobRecord; readonly added: number },
): void {
  const { project, job, pool, taskCount: tasks } = record;
  const { requestId } = submission;
  const request = requestId === "" ? {} : { request_id: requestId };
  const from = retryOf === undefined ? {} : { retry_of: retryOf };
  const facts = { project, job_id: job, ...request, ...from, pool, tasks, tasks_added: added };
  span?.set({ "zfarm.job": job, "zfarm.project": project, "zfarm.tasks": tasks });
  log.info({ ...facts, ...span?.ids }, "job admitted");
}

/** The request's record: its own, or the one a former try left. */
async function claimRecord(
  needs: AdmitNeeds,
  admission: Admission,
): Promise<{ stored: StoredJob; created: boolean }> {
  const { submission, digest } = admission;
  for (let generation = 0; generation < limits.admitGenerationsMax; generation += 1) {
    const claim = await needs.broker.jobs.create({
      project: submission.project,
      job: jobIdFor(submission, generation),
      requestDigest: digest,
      pool: submission.pool,
      displayName: submission.displayName,
      taskCount: submission.images.length,
      createTime: new Date(needs.clock.now()),
      admitted: false,
      retryOf: admission.retryOf,
      scheduling: submission.scheduling,
    });
    if (!isVoid(claim.stored.record)) return claim;
    // Whoever voided it may have died before its tasks were canceled.
    await cancelRefused(needs, claim.stored.record);
  }
  throw new FarmError(
    "QUEUE_FULL",
    `the queue was full ${limits.admitGenerationsMax} times; use a new request_id`,
  );
}

/** A request that came before has passed: only a new job is held to the bounds. */
async function reserveRoom(needs: AdmitNeeds, submission: Submission): Promise<Storing> {
  const { project, images } = submission;
  const isRoom = await needs.room.take(images.length);
  const isFree = isRoom && !needs.quotas.isBounded(project);
  if (isFree || (await isKnown(needs, submission))) return unbounded;
  if (!isRoom) throw queueFull();
  return await needs.quotas.reserve(project, images.length);
}

async function isKnown({ broker }: AdmitNeeds, submission: Submission): Promise<boolean> {
  const { project, requestId } = submission;
  for (let generation = 0; generation < limits.admitGenerationsMax; generation += 1) {
    const job = jobIdFor(submission, generation);
    const stored = requestId === "" ? undefined : await broker.jobs.find({ project, job });
    if (stored === undefined) return false;
    if (!isVoid(stored.record)) return true;
  }
  return false;
}

/** `~` is in no request id, so a later generation is never another client's request. */
function jobIdFor({ project, requestId }: Submission, generation: number): JobId {
  if (requestId === "") return createJobId();
  return jobIdOfRequest(project, generation === 0 ? requestId : `${requestId}~${generation}`);
}

/** Harmless when repeated: the first record, or what became of it since, stands. */
async function holdJob({ broker }: AdmitNeeds, record: JobRecord): Promise<void> {
  const { scheduling } = record;
  if (scheduling === undefined || !needsControl(scheduling)) return;
  await broker.controls.put({ ...refOf(record), scheduling, paused: false, approved: false }, 0n);
}

/** A message of QUEUE that was not there before. */
interface AddedMessage {
  readonly revision: Revision;
  readonly specs: readonly TaskSpec[];
}

interface AdmittedTasks {
  readonly specs: readonly TaskSpec[];
  readonly storing: Storing;
  readonly added: AddedMessage[];
}

/** Stores the tasks; `added` grows by each message that was not there before. */
async function addTasks({ broker, metrics }: AdmitNeeds, job: AdmittedTasks): Promise<void> {
  const add = async (specs: readonly TaskSpec[]): Promise<void> => {
    const revision = await broker.queue.addBundle(specs);
    job.storing.stored(specs.length);
    if (revision === "exists") return;
    job.added.push({ revision, specs });
    metrics.tasksAdmitted.inc(specs.length);
  };
  // The first one alone: a queue that is full already refuses it, and there is nothing to undo.
  const [first, ...rest] = broker.queue.bundlesOf(job.specs);
  if (first !== undefined) await add(first);
  await forEachBounded(rest, limits.admitParallel, add);
}

function countTasks(added: readonly AddedMessage[]): number {
  return added.reduce((sum, { specs }) => sum + specs.length, 0);
}

/**
 * Every default filled in and every seed drawn. As many as the record says: a later try of a retry
 * may know of more failed tasks.
 */
function specsOf({ submission, ...admission }: Admission, record: JobRecord): TaskSpec[] {
  const scheduling = record.scheduling ?? submission.scheduling;
  const { priorityClass, priority, deadlineTime } = scheduling;
  const isControlled = needsControl(scheduling);
  return submission.images.slice(0, record.taskCount).map((image, index) => ({
    project: record.project,
    job: record.job,
    index,
    pool: record.pool,
    image: { ...image, seed: image.seed ?? drawSeed() },
    createTime: record.createTime,
    expireTime: admission.expireTime,
    stack: admission.stacks?.[index],
    priority: { priorityClass, priority, deadlineTime, isControlled },
    traceparent: admission.span?.traceparent,
  }));
}

interface Attempt {
  readonly stored: StoredJob;
  readonly created: boolean;
  /** With a request id: a retry can complete it. */
  readonly repeatable: boolean;
  readonly added: readonly AddedMessage[];
}

async function markAdmitted(needs: AdmitNeeds, attempt: Attempt): Promise<JobRecord> {
  const { stored, created } = attempt;
  const record: JobRecord = { ...stored.record, admitted: true };
  let updated: Revision | "conflict";
  try {
    updated = await needs.broker.jobs.update(record, stored.revision);
  } catch (thrown) {
    return await giveUp(needs, { ...attempt, error: FarmError.from(thrown) });
  }
  if (updated !== "conflict") {
    if (!created) await removeEnded(needs, attempt);
    needs.feed.admitted(record);
    return record;
  }
  const current = await needs.broker.jobs.find(refOf(record));
  if (current?.record.admitted === true) {
    await removeEnded(needs, attempt);
    return current.record;
  }
  // The broker came back without it: nobody knows what else it lost, so nothing is undone.
  if (current === undefined) throw unknownOutcome(recordLost());
  await cancelRefused(needs, record);
  await removeEnded(needs, attempt);
  if (isVoid(current.record)) throw queueFull();
  throw new FarmError("CONFLICT", "the job's record changed while its tasks were stored");
}

/**
 * A second try may store tasks again that the first one stored and workers ended meanwhile. Their
 * outcomes stand; the message must go, or they would be rendered for nothing. A bundle of which
 * some have not ended stays, and the leader takes out of it what has.
 */
async function removeEnded({ broker }: AdmitNeeds, { added }: Attempt): Promise<void> {
  await forEachBounded(added, limits.lookupParallel, async ({ revision, specs }) => {
    for (const spec of specs) {
      if ((await broker.outcomes.find(taskIdOf(spec))) === undefined) return;
    }
    await broker.queue.remove(revision);
  });
}

/**
 * Decides what a failed try leaves behind. A full queue is a refusal and undone. After any other
 * failure nobody knows what was stored: with a request id a retry completes it, without one
 * nobody could, so it is undone as far as the broker answers.
 */
async function giveUp(
  needs: AdmitNeeds,
  attempt: Attempt & { readonly error: FarmError },
): Promise<JobRecord> {
  const { stored, added, repeatable, error } = attempt;
  const full = error.code === "QUEUE_FULL";
  if (full && added.length === 0 && (await isUntouched(needs, stored.record))) {
    await forgetQuietly(needs, stored.record);
    throw queueFull(error);
  }
  if (!full && repeatable) throw unknownOutcome(error);
  const winner = await voidJob(needs, stored).catch((failure: unknown) => {
    needs.log.warn({ job_id: stored.record.job, error: failure }, "refused job not fully undone");
    return undefined;
  });
  if (winner !== undefined) return winner;
  throw full ? queueFull(error) : error;
}

/** Every try stores the first task first: where it neither lives nor ended, nothing was stored. */
async function isUntouched({ broker }: AdmitNeeds, record: JobRecord): Promise<boolean> {
  const first = { ...refOf(record), index: 0 };
  if ((await broker.queue.find(record.pool as PoolId, first)) !== undefined) return false;
  return (await broker.outcomes.find(first)) === undefined;
}

/** Voids and cancels; gives the record instead where a concurrent try has admitted it. */
async function voidJob(needs: AdmitNeeds, stored: StoredJob): Promise<JobRecord | undefined> {
  const { record, revision } = stored;
  const updated = await needs.broker.jobs.update({ ...record, requestDigest: "" }, revision);
  if (updated === "conflict") {
    const current = await needs.broker.jobs.find(refOf(record));
    if (current?.record.admitted === true) return current.record;
  }
  await cancelRefused(needs, record);
  await needs.manifests?.forget(record);
  needs.metrics.jobsUndone.inc();
  return undefined;
}

/** Without copies of the outcomes: nothing will ever bring a refused job back. */
async function cancelRefused(needs: AdmitNeeds, record: JobRecord): Promise<void> {
  await cancelUnfinished({ ...needs, manifests: undefined }, record);
}

/** Nothing was stored, so the record alone is left: a manifest without tasks must not be. */
async function forgetQuietly({ manifests, log }: AdmitNeeds, record: JobRecord): Promise<void> {
  await manifests?.forget(record).catch((error: unknown) => {
    log.warn({ job_id: record.job, error }, "manifest of a refused job not removed");
  });
}

/** The broker fell silent in between; only the same request can tell what became of this one. */
function unknownOutcome(error: FarmError): FarmError {
  if (error.code !== "BROKER_UNAVAILABLE") return error;
  const told = "whether the request was kept is unknown: retry it with the same request_id";
  return new FarmError(error.code, `${error.message}; ${told}`, {
    cause: error,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

function recordLost(): FarmError {
  return new FarmError("BROKER_UNAVAILABLE", "the broker lost the job's record");
}

function queueFull(cause?: FarmError): FarmError {
  return new FarmError("QUEUE_FULL", "the queue is full; nothing of this request was kept", {
    cause,
  });
}

function refOf(record: JobRecord): JobRef {
  const { project, job } = taskIdOf({ ...record, index: 0 });
  return { project, job };
}
