/**
 * The scheduler's mind: told an event and the time, it changes its state and says what to do.
 * No clock, no random numbers, no I/O, so the same events give the same effects, in production,
 * in tests and in a simulator. Work per event is O(log n) in the number of live tasks.
 */
import {
  type Explanation,
  type JobRef,
  type LiveTask,
  type LoraResidence,
  limits,
  type PoolId,
  type PoolQueue,
  type ProjectId,
  type TaskId,
  type Victim,
  type Worker,
  type WorkerId,
  type WorkerReply,
  type WorkerState,
} from "@zfarm/contract";
import type { PoolWork } from "./autoscale/pool-work.ts";
import { endRebuild, fireTimers, tick } from "./clock-rules.ts";
import { explain } from "./explain.ts";
import { FarmState } from "./farm-state.ts";
import {
  countPools,
  countTables,
  countWorkers,
  describeJob,
  type FarmTable,
  measurePools,
  nameVictims,
  type PoolCounts,
  type PoolMeasures,
  rankPoolVictims,
  situationOf,
  type TaskSituation,
} from "./farm-view.ts";
import { dispatchTouched } from "./grant-rules.ts";
import { endAttempt } from "./lease-rules.ts";
import { finishRewrite, leaveBundle } from "./message-rules.ts";
import { controlJob, setPoolPolicy, setProjectPolicy, setWorkerPolicy } from "./policy-rules.ts";
import { measureWork } from "./pool-work.ts";
import { announceArrivals } from "./position-rules.ts";
import { measureQueues } from "./queue-stats.ts";
import { type PrefetchPlan, planPrefetch, prefetch, residencesOf } from "./residences.ts";
import { retireWorkers } from "./retire-rules.ts";
import type { SchedulerEffect } from "./scheduler-effect.ts";
import type { SchedulerEvent } from "./scheduler-event.ts";
import { settleTask, storeTask } from "./task-rules.ts";
import type { RankedVictim } from "./victims.ts";
import { hearBeat, takeAsk } from "./worker-rules.ts";
import {
  lookAtWorker,
  pageOfWorkers,
  type WorkerPage,
  type WorkerPageQuery,
} from "./worker-view.ts";

const nothing: readonly SchedulerEffect[] = [];

export class Scheduler {
  readonly #state: FarmState;
  #queues: { readonly at: number; readonly pools: readonly PoolQueue[] } | undefined;

  /** One term of leadership: `epoch` is the upper half of every fence it gives out. */
  constructor(epoch: bigint) {
    this.#state = new FarmState(epoch);
  }

  /**
   * Takes one event at time `now` (milliseconds since the epoch; a clock that went back counts
   * as one that stood still) and returns what to do, in order. Throws INTERNAL on a state change
   * that cannot be: the term must end then, since its index is wrong.
   */
  step(event: SchedulerEvent, now: number): readonly SchedulerEffect[] {
    return this.stepAll([event], now);
  }

  /** As step, with events that came together: workers are chosen once all of them are known. */
  stepAll(events: readonly SchedulerEvent[], now: number): readonly SchedulerEffect[] {
    const state = this.#state;
    if (now > state.now) state.now = now;
    fireTimers(state);
    for (const event of events) apply(state, event);
    announceArrivals(state);
    dispatchTouched(state);
    if (state.effects.length === 0) return nothing;
    const { effects } = state;
    state.effects = [];
    return effects;
  }

  /** When time alone will next make something happen, milliseconds; undefined: not at all. */
  get wakesAt(): number | undefined {
    return this.#state.timers.nextAt;
  }

  /** Every pool that it has heard of. */
  pools(): PoolId[] {
    return [...this.#state.pools.keys()];
  }

  countPools(): PoolCounts[] {
    return countPools(this.#state);
  }

  measurePools(): PoolMeasures[] {
    return measurePools(this.#state);
  }

  /** Entries of the tables in memory. */
  countTables(): Record<FarmTable, number> {
    return countTables(this.#state);
  }

  /** A project's live tasks in all pools. */
  countProject(id: ProjectId): { waiting: number; running: number } {
    const project = this.#state.projects.get(id);
    return { waiting: project?.queued ?? 0, running: project?.running ?? 0 };
  }

  situationOf(id: TaskId): TaskSituation {
    return situationOf(this.#state, id);
  }

  countWorkers(): ReadonlyMap<WorkerState, number> {
    return countWorkers(this.#state);
  }

  /** The first page of one pool, or of all where it is empty. */
  listWorkers(pool: string): Worker[] {
    return this.pageOfWorkers({ pool, after: "", size: limits.workersMax }).workers;
  }

  pageOfWorkers(query: WorkerPageQuery): WorkerPage {
    return pageOfWorkers(this.#state, query);
  }

  lookAtWorker(id: WorkerId): WorkerReply {
    return lookAtWorker(this.#state, id);
  }

  /** Of every pool, by name, and not older than `queueStatsEveryMs`. */
  measureQueues(): readonly PoolQueue[] {
    const { now } = this.#state;
    if (this.#queues === undefined || now >= this.#queues.at + limits.queueStatsEveryMs) {
      this.#queues = { at: now, pools: measureQueues(this.#state) };
    }
    return this.#queues.pools;
  }

  describeJob(job: JobRef): LiveTask[] {
    return describeJob(this.#state, job);
  }

  /** Why one task waits, or all of the job that do, the largest group first. */
  explain(job: JobRef, index?: number): Explanation[] {
    return explain(this.#state, job, index);
  }

  /** Which workers of a pool to take away first. */
  nameVictims(pool: PoolId, count: number): Victim[] {
    return nameVictims(this.#state, pool, count);
  }

  /** The same for who takes them away. */
  rankVictims(pool: PoolId, count: number): RankedVictim[] {
    return rankPoolVictims(this.#state, pool, count);
  }

  /** The work of a pool, and who does it. */
  measureWork(pool: PoolId): PoolWork {
    return measureWork(this.#state, pool);
  }

  /** Which workers of a pool hold an adapter, nearest first. */
  residencesOf(pool: PoolId, digest: string): LoraResidence[] {
    return residencesOf(this.#state, pool, digest);
  }

  /** Whom a `prefetch-asked` of now would tell. */
  planPrefetch(pool: PoolId, digest: string, count: number): PrefetchPlan {
    return planPrefetch(this.#state, pool, { digest, count });
  }
}

function apply(state: FarmState, event: SchedulerEvent): void {
  switch (event.kind) {
    case "task-stored":
      return storeTask(state, event);
    case "task-rewritten":
      return finishRewrite(state, event);
    case "bundle-outlived":
      return leaveBundle(state, event);
    case "outcome-seen":
      return settleTask(state, event);
    case "outcomes-read":
      return state.reading.came(state.now, event);
    case "listening":
      state.listensSince ??= state.now;
      return;
    case "lease-renewed":
      state.grantsUntil = event.grantsUntil;
      return;
    case "rebuilt":
      return endRebuild(state);
    case "work-asked":
      return takeAsk(state, event);
    case "beat-heard":
      return hearBeat(state, event);
    case "attempt-reported":
      return endAttempt(state, event);
    case "job-controlled":
      return controlJob(state, event);
    case "project-policy":
      return setProjectPolicy(state, event);
    case "pool-policy":
      return setPoolPolicy(state, event);
    case "worker-policy":
      return setWorkerPolicy(state, event);
    case "workers-retired":
      return retireWorkers(state, event);
    case "prefetch-asked":
      return prefetch(state, event);
    case "tick":
      return tick(state);
  }
}
