/**
 * Everything the leader knows, in one mutable object that only the core changes. What it holds
 * is rebuilt from the broker's logs at the start of each term, so nothing here is precious.
 */
import {
  type JobControl,
  type JobRef,
  limits,
  type PoolId,
  type ProjectId,
  type TaskId,
  type TaskSpec,
  taskIdOf,
  type WorkerId,
  type WorkerPolicy,
} from "@zfarm/contract";
import { CostModel } from "./cost-model.ts";
import { CrashBudget } from "./crash-budget.ts";
import { HandQuarantines } from "./hand-quarantines.ts";
import { JobEntry } from "./job-entry.ts";
import { OutcomeReading } from "./outcome-reading.ts";
import { PoolEntry } from "./pool-entry.ts";
import { ProjectEntry } from "./project-entry.ts";
import { RecentOutcomes } from "./recent-outcomes.ts";
import type { SchedulerEffect } from "./scheduler-effect.ts";
import type { TaskEntry } from "./task-entry.ts";
import { TimerHeap } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";
import type { WorkerEntry } from "./worker-entry.ts";
import { WorkerHealth } from "./worker-health.ts";

export class FarmState {
  readonly epoch: bigint;
  /** Jobs with live tasks, by `jobKey`. */
  readonly jobs = new Map<string, JobEntry>();
  readonly projects = new Map<ProjectId, ProjectEntry>();
  readonly pools = new Map<PoolId, PoolEntry>();
  readonly workers = new Map<WorkerId, WorkerEntry>();
  /** What is wanted of jobs, those without live tasks among them: it may be known before them. */
  readonly controls = new Map<string, JobControl>();
  /** Failed tasks of jobs with a budget, also of jobs that have no live task known yet. */
  readonly failures = new Map<string, number>();
  readonly workerPolicies = new Map<WorkerId, WorkerPolicy>();
  readonly costs = new CostModel();
  readonly health = new WorkerHealth();
  readonly asideByHand = new HandQuarantines();
  readonly crashBudget = new CrashBudget();
  readonly timers = new TimerHeap<Wake>();
  readonly reading = new OutcomeReading();
  readonly recent = new RecentOutcomes(limits.outcomesRememberedMax);
  /** Pools in which something came since the last dispatch. */
  readonly touched = new Set<PoolEntry>();
  effects: SchedulerEffect[] = [];
  /** Tasks that came in this step and may be told their place. */
  arrived: TaskEntry[] = [];
  liveTasks = 0;
  /** Milliseconds; never goes back. */
  now = 0;
  /** No grant before this time: the index is incomplete or workers may hold unknown leases. */
  grantsFrom = Number.POSITIVE_INFINITY;
  /** What workers list and this leader does not know is taken for ended from this time on. */
  knowsAllFrom = Number.POSITIVE_INFINITY;
  /** No grant from this time on: the next leader must be able to hear of it first. */
  grantsUntil = Number.POSITIVE_INFINITY;
  /** Since when heartbeats are heard; undefined while they are not. */
  listensSince: number | undefined = undefined;
  positionsAt = 0;
  sweptAt = 0;
  #bornAt: number | undefined = undefined;
  #leases = 0n;

  constructor(epoch: bigint) {
    this.epoch = epoch;
  }

  get mayGrant(): boolean {
    return this.now >= this.grantsFrom && this.now < this.grantsUntil;
  }

  get isRebuilt(): boolean {
    return this.grantsFrom !== Number.POSITIVE_INFINITY;
  }

  /** Milliseconds since the first event: small numbers, of which a million cost little. */
  get elapsedMs(): number {
    this.#bornAt ??= this.now;
    return this.now - this.#bornAt;
  }

  emit(effect: SchedulerEffect): void {
    this.effects.push(effect);
  }

  /** Larger than every fence of this and any earlier leader: the epoch is its upper half. */
  nextFence(): bigint {
    this.#leases += 1n;
    return (this.epoch << 32n) | this.#leases;
  }

  findTask(id: TaskId): TaskEntry | undefined {
    return this.jobs.get(jobKey(id))?.tasks[id.index];
  }

  pool(id: PoolId): PoolEntry {
    let pool = this.pools.get(id);
    if (pool === undefined) {
      pool = new PoolEntry(id);
      this.pools.set(id, pool);
    }
    return pool;
  }

  project(id: ProjectId): ProjectEntry {
    let project = this.projects.get(id);
    if (project === undefined) {
      project = new ProjectEntry(id);
      this.projects.set(id, project);
    }
    return project;
  }

  openJob(spec: TaskSpec): JobEntry {
    const { project, job } = taskIdOf(spec);
    const key = jobKey({ project, job });
    let entry = this.jobs.get(key);
    if (entry === undefined) {
      const owner = { pool: this.pool(spec.pool as PoolId), project: this.project(project) };
      entry = new JobEntry({ project, job }, owner);
      entry.control = this.controls.get(key);
      entry.failed = this.failures.get(key) ?? 0;
      this.jobs.set(key, entry);
    }
    return entry;
  }

  /** Counts for as long as the job may fail by it: the job leaves while its tasks still come. */
  countFailure(job: JobRef): void {
    const key = jobKey(job);
    const entry = this.jobs.get(key);
    if (entry !== undefined) entry.failed += 1;
    const hasBudget = (this.controls.get(key)?.scheduling?.maxFailedTasks ?? 0) > 0;
    if (hasBudget) this.failures.set(key, (this.failures.get(key) ?? 0) + 1);
  }

  /** A project without tasks and without a policy leaves with its last job. */
  forgetJob({ ref, project }: JobEntry): void {
    this.jobs.delete(jobKey(ref));
    if (project.queued === 0 && project.running === 0 && project.lines.size === 0) {
      if (project.policy === undefined && !project.isIsolated) this.projects.delete(project.id);
    }
  }
}

export function jobKey(job: JobRef): string {
  return `${job.project}.${job.job}`;
}
