/** Where tasks wait: in lots, and lots in the line of their pool unless something bars them. */
import { type TaskSpec, WaitReason } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { JobEntry } from "./job-entry.ts";
import { Lot, type LotKind } from "./lot.ts";
import type { TaskEntry } from "./task-entry.ts";

export interface LotWish {
  readonly kind: LotKind;
  readonly index: number;
  /** What any of its tasks is, or a lot's template. */
  readonly spec: TaskSpec;
  readonly shape: string;
}

/** The lot that a task of the job would wait in; the job knows a lot while tasks wait in it. */
export function openLot(job: JobEntry, wish: LotWish, spare?: Lot): Lot {
  const { kind, index, spec, shape } = wish;
  const isSample = index < (job.scheduling?.sampleTasks ?? 0);
  const stack = spec.stack?.adapters.map(({ digest, weight }) => `${digest}*${weight}`) ?? [];
  // A suspected task is alone with what it is suspected of.
  const whose = kind === "suspected" ? String(index) : String(isSample);
  const expiresAt = spec.expireTime?.getTime() ?? "";
  const key = [kind, whose, shape, expiresAt, ...stack].join(" ");
  const known = job.lots.get(key) ?? (spare?.key === key ? spare : undefined);
  if (known !== undefined) return known;
  const template = { ...spec, index: 0, image: undefined };
  return new Lot(job, { key, kind, template, shape, isSample });
}

/** A task joins its lot at the back. */
export function joinLine(state: FarmState, entry: TaskEntry): void {
  const { lot } = entry;
  entry.waitingSince = Math.floor(state.elapsedMs);
  lot.push(entry);
  if (lot.size === 1) {
    lot.job.lots.set(lot.key, lot);
    if (lot.expiresAt !== Number.POSITIVE_INFINITY) {
      state.timers.set(lot.expireTimer, lot.expiresAt);
    }
    lot.gate = gateOf(lot);
    enter(state, lot);
  } else if (lot.lane !== undefined) lot.job.pool.line.resized(lot, 1);
  else lot.job.pool.countGated(lot.gate, 1);
  state.touched.add(lot.job.pool);
}

/** Takes a task out of the lot it waits in; harmless when it waits in none. */
export function leaveLine(state: FarmState, entry: TaskEntry): void {
  const { lot } = entry;
  if (!lot.has(entry)) return;
  const { pool, lots } = lot.job;
  if (lot.size > 1) {
    lot.remove(entry);
    if (lot.lane !== undefined) pool.line.resized(lot, -1);
    else pool.countGated(lot.gate, -1);
    return;
  }
  leave(lot);
  lot.remove(entry);
  state.timers.clear(lot.expireTimer);
  lots.delete(lot.key);
}

/** What keeps the job's tasks out of the line may have changed. */
export function regateJob(state: FarmState, job: JobEntry): void {
  for (const lot of job.lots.values()) {
    lot.lane?.load.recount(lot);
    const gate = gateOf(lot);
    if (gate === lot.gate) continue;
    leave(lot);
    lot.gate = gate;
    enter(state, lot);
  }
}

/** Takes the lot out of its lane and puts it where its priority and deadline want it now. */
export function relane(state: FarmState, lot: Lot): void {
  if (lot.lane === undefined) return;
  leave(lot);
  enter(state, lot);
}

/** Finds the lot for a task that waits nowhere: it was tried, or the sample has become known. */
export function rehome(entry: TaskEntry, kind: LotKind): void {
  const { template, shape } = entry.lot;
  entry.lot = openLot(entry.job, { kind, index: entry.index, spec: template, shape }, entry.lot);
}

function gateOf({ job, isSample, template }: Lot): WaitReason {
  const { control } = job;
  if (control?.paused === true) return WaitReason.JOB_PAUSED;
  if (control === undefined && template.priority?.isControlled === true) {
    return WaitReason.JOB_PAUSED;
  }
  const hasSample = (job.scheduling?.sampleTasks ?? 0) > 0;
  if (hasSample && !isSample && control?.approved !== true) return WaitReason.AWAITING_APPROVAL;
  return job.running >= job.runningMax ? WaitReason.JOB_LIMIT : WaitReason.NEXT;
}

function enter(state: FarmState, lot: Lot): void {
  const { pool } = lot.job;
  if (lot.gate === WaitReason.NEXT) pool.line.add(lot);
  else pool.countGated(lot.gate, lot.size);
  state.touched.add(pool);
}

function leave(lot: Lot): void {
  const { pool } = lot.job;
  if (lot.lane !== undefined) pool.line.remove(lot);
  else pool.countGated(lot.gate, -lot.size);
}
