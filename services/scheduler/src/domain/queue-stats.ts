/** What waits and runs in each pool: by class, by reason, by project, and what adapters cost. */
import {
  type ClassQueue,
  type PoolQueue,
  PriorityClass,
  type ProjectId,
  type ProjectQueue,
  poolName,
  projectName,
} from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import { type JobEntry, priorityOf } from "./job-entry.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { countWaiting } from "./waiting-counts.ts";

/** Everything of every pool; whoever asks gets as many projects as wished. O(jobs and lots). */
export function measureQueues(state: FarmState): PoolQueue[] {
  const tallies = new Map<PoolEntry, Tally>();
  for (const pool of state.pools.values()) tallies.set(pool, new Tally());
  for (const job of state.jobs.values()) tallies.get(job.pool)?.addJob(state, job);
  return [...tallies]
    .map(([pool, tally]) => describePool(state, pool, tally))
    .toSorted((one, other) => (one.pool < other.pool ? -1 : 1));
}

interface Count {
  waiting: number;
  running: number;
  backlogMs: number;
  oldestMs: number;
}

/** Sums over the jobs of one pool. */
class Tally {
  /** Few shapes, looked up once each: a prediction takes longer than all the rest of a job. */
  readonly #costs = { none: new Map<string, number>(), warm: new Map<string, number>() };
  readonly classes = new Map<PriorityClass, Count>();
  readonly projects = new Map<ProjectId, Count>();
  readonly whole = emptyCount();

  addJob(state: FarmState, job: JobEntry): void {
    const own = emptyCount();
    own.running = job.running;
    own.waiting = Math.max(0, job.live - job.running);
    let inLots = 0;
    for (const lot of job.lots.values()) {
      inLots += lot.size;
      own.backlogMs += lot.size * this.#costOf(state, lot);
      own.oldestMs = Math.max(own.oldestMs, ageOf(state, lot));
    }
    // Those that wait out a delay stand in no lot.
    own.backlogMs += Math.max(0, own.waiting - inLots) * state.costs.typical(job.pool.id);
    add(this.whole, own);
    add(openCount(this.classes, classOf(job)), own);
    add(openCount(this.projects, job.project.id), own);
  }

  #costOf(state: FarmState, { job, shape, adapters }: Lot): number {
    const lora = adapters.length === 0 ? "none" : "warm";
    const known = this.#costs[lora].get(shape);
    if (known !== undefined) return known;
    const cost = state.costs.predict({ pool: job.pool.id, shape, lora });
    this.#costs[lora].set(shape, cost);
    return cost;
  }
}

function describePool(state: FarmState, pool: PoolEntry, tally: Tally): PoolQueue {
  const { whole } = tally;
  const used = new Map(
    [...pool.line.projects].map((line) => [line.project.id, line.used.value / 1_000] as const),
  );
  const live = [...tally.projects].map(([id, count]) => ({
    id,
    count,
    usedSeconds: used.get(id) ?? 0,
    weight: state.projects.get(id)?.weight ?? 1,
  }));
  const weights = live.reduce((sum, { weight }) => sum + weight, 0);
  const usedSeconds = live.reduce((sum, each) => sum + each.usedSeconds, 0);
  const projects = live.map(
    ({ id, count, ...own }): ProjectQueue => ({
      project: projectName(id),
      waiting: count.waiting,
      running: count.running,
      ...own,
      usedShare: usedSeconds === 0 ? 0 : own.usedSeconds / usedSeconds,
      dueShare: own.weight / weights,
    }),
  );
  const reasons = [...countWaiting(state, pool)].map(([reason, tasks]) => ({ reason, tasks }));
  return {
    pool: poolName(pool.id),
    waiting: pool.queued,
    running: pool.leased,
    backlogSeconds: whole.backlogMs / 1_000,
    oldestSeconds: whole.oldestMs / 1_000,
    classes: describeClasses(tally),
    reasons: reasons.toSorted((one, other) => other.tasks - one.tasks || one.reason - other.reason),
    projects: projects.toSorted(byUse),
    projectCount: projects.length,
    weights,
    usedSeconds,
    warmStarts: pool.warmStarts.value,
    coldStarts: pool.coldStarts.value,
  };
}

function describeClasses({ classes }: Tally): ClassQueue[] {
  return [...classes]
    .map(([priorityClass, { waiting, running, backlogMs, oldestMs }]) => ({
      priorityClass,
      waiting,
      running,
      backlogSeconds: backlogMs / 1_000,
      oldestSeconds: oldestMs / 1_000,
    }))
    .toSorted((one, other) => one.priorityClass - other.priorityClass);
}

function byUse(one: ProjectQueue, other: ProjectQueue): number {
  if (one.usedSeconds !== other.usedSeconds) return other.usedSeconds - one.usedSeconds;
  if (one.waiting !== other.waiting) return other.waiting - one.waiting;
  return one.project < other.project ? -1 : 1;
}

/** As its control says, else as its tasks were created: all of them alike. */
function classOf(job: JobEntry): PriorityClass {
  const lot = job.lots.values().next().value ?? job.tasks.find((task) => task !== undefined)?.lot;
  return lot === undefined ? PriorityClass.STANDARD : priorityOf(lot).priorityClass;
}

/** Since its oldest task was accepted. */
function ageOf(state: FarmState, { size, template }: Lot): number {
  const acceptedAt = template.createTime?.getTime() ?? Number.NaN;
  return size === 0 || Number.isNaN(acceptedAt) ? 0 : Math.max(0, state.now - acceptedAt);
}

function emptyCount(): Count {
  return { waiting: 0, running: 0, backlogMs: 0, oldestMs: 0 };
}

function openCount<Key>(counts: Map<Key, Count>, key: Key): Count {
  const count = counts.get(key) ?? emptyCount();
  counts.set(key, count);
  return count;
}

function add(sum: Count, own: Count): void {
  sum.waiting += own.waiting;
  sum.running += own.running;
  sum.backlogMs += own.backlogMs;
  sum.oldestMs = Math.max(sum.oldestMs, own.oldestMs);
}
