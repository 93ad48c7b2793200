/** The border: turns what other processes sent into events of the core, or says it is unusable. */
import {
  type AttemptReport,
  type Heartbeat,
  type LatentCheckpoint,
  type LeasedTask,
  limits,
  type Outcome,
  parseAttemptKey,
  parseJobId,
  parsePoolId,
  parseProjectId,
  parseWorkerId,
  type QueuedTask,
  type TaskId,
  taskIdOf,
  taskKey,
  type WorkerId,
  type WorkRequest,
} from "@zfarm/contract";
import type { AttemptReported, BeatHeard, WorkAsked } from "./domain/scheduler-event.ts";

/** Undefined where a message cannot be used: it came from another version or from a bug. */
export function readAsk(request: WorkRequest, ask: number): WorkAsked | undefined {
  const worker = readWorker(request.worker);
  const pool = parsePoolId(request.pool);
  if (worker === undefined || pool === undefined) return undefined;
  const { slotsFree, epochSeen, running, shelf, holdMs = limits.askHoldMs } = request;
  const what = { ask, worker, pool, slotsFree, epochSeen, shelf, running: usable(running) };
  return { kind: "work-asked", ...what, holdMs: Math.min(holdMs, limits.askHoldMs) };
}

/** Who lives, and what it holds. */
export function readBeat(heartbeat: Heartbeat): BeatHeard | undefined {
  const info = heartbeat.worker;
  if (info === undefined) return undefined;
  const worker = readWorker(info.name);
  const pool = parsePoolId(info.pool);
  if (worker === undefined || pool === undefined) return undefined;
  return { kind: "beat-heard", worker, pool, info, running: usable(heartbeat.running) };
}

/** An attempt that ended without an outcome. */
export function readReport(report: AttemptReport): AttemptReported | undefined {
  const worker = readWorker(report.worker);
  const leased = report.task;
  if (worker === undefined || leased === undefined || !hasIdentity(leased)) return undefined;
  const latents = readLatents(report.latents, taskIdOf(leased));
  return { kind: "attempt-reported", worker, leased, failure: report.failure, latents };
}

/** Those of another task, or of no step, are none. */
function readLatents(
  latents: LatentCheckpoint | undefined,
  id: TaskId,
): LatentCheckpoint | undefined {
  if (latents === undefined || latents.step === 0) return undefined;
  const object = parseAttemptKey(latents.key);
  const isOwn = object?.kind === "latents" && taskKey(object.task) === taskKey(id);
  return isOwn ? latents : undefined;
}

/** Whether the scheduler can place the task at all. */
export function isPlaceable(task: QueuedTask): boolean {
  const { spec } = task;
  if (spec?.image === undefined) return false;
  return hasIdentity(spec) && parsePoolId(spec.pool) !== undefined;
}

/** The task that an outcome ends; undefined where it names none. */
export function taskOf(outcome: Outcome): TaskId | undefined {
  const { spec } = outcome;
  return spec === undefined || !hasIdentity(spec) ? undefined : taskIdOf(spec);
}

/** One bad entry must not cost a worker the leases that its other entries extend. */
function usable(running: readonly LeasedTask[]): LeasedTask[] {
  return running.filter(hasIdentity);
}

function hasIdentity(message: { project: string; job: string; index: number }): boolean {
  return parseProjectId(message.project) !== undefined && parseJobId(message.job) !== undefined;
}

/** Heartbeats carry the resource name, requests and reports the plain id. */
function readWorker(name: string): WorkerId | undefined {
  return parseWorkerId(name.startsWith("workers/") ? name.slice("workers/".length) : name);
}
