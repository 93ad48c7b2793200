/** Drives the pure core with short calls and sensible defaults: what a test sets matters. */
import {
  FailureBlame,
  type Lease,
  type LeasedTask,
  type LoraRef,
  limits,
  type Outcome,
  OutcomeKind,
  type PoolId,
  type QueuedTask,
  type Shelf,
  type TaskFailure,
  type TaskId,
  type TaskSpec,
  taskIdOf,
  type WorkerId,
  WorkerState,
} from "@zfarm/contract";
import { Scheduler } from "../src/domain/scheduler.ts";
import type { Grant, SchedulerEffect } from "../src/domain/scheduler-effect.ts";
import type { SchedulerEvent } from "../src/domain/scheduler-event.ts";

export const startAt = 1_700_000_000_000;

export interface TaskOptions {
  readonly project?: string;
  readonly job?: string;
  readonly pool?: string;
  readonly width?: number;
  readonly attempts?: number;
  readonly expireAt?: number;
  readonly adapters?: LoraRef[];
}

/** A stored task, "default" project and pool, job "j", shape 64x64x4. */
export function buildTask(index: number, options: TaskOptions = {}): QueuedTask {
  const { adapters, expireAt, width = 64 } = options;
  const spec: TaskSpec = {
    project: options.project ?? "default",
    job: options.job ?? "j",
    index,
    pool: options.pool ?? "default",
    image: { prompt: "a cup", width, height: 64, steps: 4, seed: 1n },
    createTime: new Date(startAt),
    expireTime: expireAt === undefined ? undefined : new Date(expireAt),
    stack: adapters && { adapters },
  };
  return { spec, attempts: options.attempts ?? 0, lastFailure: undefined };
}

export function buildFailure(reason: string, blame: TaskFailure["blame"]): TaskFailure {
  return { reason, message: "it went wrong", blame };
}

export const taskFault: TaskFailure = buildFailure("BAD_NUMBERS", FailureBlame.TASK);

/** The identity of task `index` of job "j" of the default project. */
export function idOf(index: number): TaskId {
  return taskIdOf({ project: "default", job: "j", index });
}

export function listed(lease: Lease, step = 0): LeasedTask {
  const { project = "", job = "", index = 0 } = lease.spec ?? {};
  return { project, job, index, fence: lease.fence, step };
}

export function outcomeOf(spec: TaskSpec, kind: Outcome["kind"], fence = 0n): Outcome {
  return { spec, kind, worker: "", fence, attempt: 1, endTime: new Date(startAt) };
}

type EffectOf<Kind extends SchedulerEffect["kind"]> = Extract<SchedulerEffect, { kind: Kind }>;

export class CoreDriver {
  readonly scheduler: Scheduler;
  now = startAt;
  readonly #epoch: bigint;
  #asks = 0;
  #revisions = 0n;

  constructor(epoch = 1n) {
    this.#epoch = epoch;
    this.scheduler = new Scheduler(epoch);
  }

  /** A core that has been rebuilt from an empty farm. */
  static leading(epoch = 1n): CoreDriver {
    const core = new CoreDriver(epoch);
    core.step({ kind: "rebuilt" });
    return core;
  }

  step(event: SchedulerEvent): readonly SchedulerEffect[] {
    return this.scheduler.step(event, this.now);
  }

  store(...tasks: QueuedTask[]): readonly SchedulerEffect[] {
    return tasks.flatMap((task) => {
      this.#revisions += 1n;
      return this.step({ kind: "task-stored", task, revision: this.#revisions });
    });
  }

  ask(worker: string, options: AskOptions = {}): readonly SchedulerEffect[] {
    this.#asks += 1;
    return this.step({
      kind: "work-asked",
      ask: this.#asks,
      worker: worker as WorkerId,
      pool: (options.pool ?? "default") as PoolId,
      slotsFree: options.slots ?? 1,
      epochSeen: options.epochSeen ?? this.#epoch,
      running: options.running ?? [],
      shelf: options.shelf,
    });
  }

  /** Asks and expects work, at once or after the batch has formed. */
  take(worker: string, slots = 1): Grant {
    let [grant] = only(this.ask(worker, { slots }), "grant");
    if (grant === undefined) [grant] = only(this.wait(limits.batchHoldMs), "grant");
    if (grant === undefined) throw new RangeError(`no work for ${worker}`);
    return grant;
  }

  countQueued(): number {
    return this.scheduler.countPools().reduce((sum, pool) => sum + pool.queued, 0);
  }

  /** Takes one task. */
  takeOne(worker: string): Lease {
    const [lease] = this.take(worker).leases;
    if (lease === undefined) throw new RangeError("an empty grant");
    return lease;
  }

  beat(worker: string, running: readonly LeasedTask[], state: WorkerState = WorkerState.READY) {
    const info = {
      name: `workers/${worker}`,
      pool: "default",
      state,
      device: "cpu",
      model: "nano",
      modelDigest: "00",
      slots: 8,
      running: running.length,
      heartbeatTime: undefined,
    };
    const pool = "default" as PoolId;
    return this.step({ kind: "beat-heard", worker: worker as WorkerId, pool, info, running });
  }

  report(worker: string, lease: Lease, failure?: TaskFailure): readonly SchedulerEffect[] {
    const leased = listed(lease);
    return this.step({ kind: "attempt-reported", worker: worker as WorkerId, leased, failure });
  }

  /** An outcome of the task is seen; succeeded unless another kind is given. */
  end(task: QueuedTask, kind: Outcome["kind"] = OutcomeKind.SUCCEEDED, fence = 0n) {
    const { spec } = task;
    if (spec === undefined) throw new RangeError("a task without spec");
    const outcome = outcomeOf(spec, kind, fence);
    return this.step({ kind: "outcome-seen", id: taskIdOf(spec), outcome });
  }

  /** Lets time pass, then ticks. */
  wait(ms: number): readonly SchedulerEffect[] {
    this.now += ms;
    return this.step({ kind: "tick" });
  }

  /** Lets time pass in small steps while workers send heartbeats. */
  waitBeating(ms: number, beats: Readonly<Record<string, readonly LeasedTask[]>>) {
    const effects: SchedulerEffect[] = [];
    for (let passed = 0; passed < ms; passed += 1_000) {
      effects.push(...this.wait(1_000));
      for (const [worker, running] of Object.entries(beats)) {
        effects.push(...this.beat(worker, running));
      }
    }
    return effects;
  }
}

export interface AskOptions {
  readonly slots?: number;
  readonly pool?: string;
  readonly epochSeen?: bigint;
  readonly running?: readonly LeasedTask[];
  readonly shelf?: Shelf;
}

export function only<Kind extends SchedulerEffect["kind"]>(
  effects: readonly SchedulerEffect[],
  kind: Kind,
): EffectOf<Kind>[] {
  return effects.filter((effect): effect is EffectOf<Kind> => effect.kind === kind);
}

/** The indices of the tasks in a grant, in order. */
export function indicesOf(grant: Grant): (number | undefined)[] {
  return grant.leases.map((lease) => lease.spec?.index);
}
