/** Drives the pure core with short calls and sensible defaults: what a test sets matters. */
import {
  type Explanation,
  FailureBlame,
  type JobControl,
  type JobRef,
  type Lease,
  type LeasedTask,
  type LoraRef,
  limits,
  type Outcome,
  OutcomeKind,
  type PoolId,
  type PoolPolicy,
  PriorityClass,
  type ProjectPolicy,
  type QueuedTask,
  type Scheduling,
  type Shelf,
  ShelfTier,
  type TaskFailure,
  type TaskId,
  type TaskSpec,
  taskIdOf,
  type WaitReason,
  type WorkerId,
  type WorkerPolicy,
  WorkerState,
  waitReasonName,
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
  readonly height?: number;
  readonly steps?: number;
  readonly attempts?: number;
  readonly crashedOn?: readonly string[];
  readonly expireAt?: number;
  readonly priorityClass?: PriorityClass;
  readonly priority?: number;
  readonly deadlineAt?: number;
  readonly isControlled?: boolean;
  readonly adapters?: readonly LoraRef[];
}

/** A stored task, "default" project and pool, job "j", shape 64x64x4. */
export function buildTask(index: number, options: TaskOptions = {}): QueuedTask {
  const { expireAt, width = 64, height = 64, steps = 4 } = options;
  const spec: TaskSpec = {
    project: options.project ?? "default",
    job: options.job ?? "j",
    index,
    pool: options.pool ?? "default",
    image: { prompt: "a cup", width, height, steps, seed: 1n, loras: [] },
    createTime: new Date(startAt),
    expireTime: expireAt === undefined ? undefined : new Date(expireAt),
    stack: options.adapters && { adapters: [...options.adapters] },
    priority: priorityOf(options),
  };
  const { crashedOn: workers } = options;
  const crashes =
    workers === undefined ? undefined : { count: workers.length, workers: [...workers] };
  return { spec, attempts: options.attempts ?? 0, crashes, lastFailure: undefined };
}

/** Tasks `from` to `from + count - 1` of one job. */
export function buildTasks(count: number, options: TaskOptions = {}, from = 0): QueuedTask[] {
  return Array.from({ length: count }, (_, place) => buildTask(from + place, options));
}

function priorityOf(options: TaskOptions): TaskSpec["priority"] {
  const { priorityClass, priority, deadlineAt, isControlled } = options;
  const stated = [priorityClass, priority, deadlineAt, isControlled];
  if (stated.every((each) => each === undefined)) return undefined;
  return {
    priorityClass: priorityClass ?? PriorityClass.UNSPECIFIED,
    priority: priority ?? 0,
    deadlineTime: deadlineAt === undefined ? undefined : new Date(deadlineAt),
    isControlled: isControlled ?? false,
  };
}

/** An adapter of 1,000 MB, which takes 10 s from the store and 2 s from disk, of rank 16. */
export function adapter(digest: string, options: Partial<LoraRef> = {}): LoraRef {
  return { digest, weight: 1, rank: 16, sizeBytes: 1_000_000_000n, ...options };
}

/** A shelf with these adapters on the device, which has room for `room` of them. */
export function shelfOf(digests: readonly string[], room = 4, rankBudget = 0): Shelf {
  const sizeBytes = adapter("any").sizeBytes;
  const items = digests.map((digest) => ({ digest, sizeBytes, tier: ShelfTier.DEVICE }));
  return { items, deviceBytes: sizeBytes * BigInt(room), rankBudget };
}

export type ControlOptions = Partial<Scheduling & Pick<JobControl, "paused" | "approved" | "job">>;

/** What is wanted of job "j" of the default project. */
export function buildControl(options: ControlOptions): JobControl {
  const { paused = false, approved = false, job = "j", ...scheduling } = options;
  return {
    project: "default",
    job,
    paused,
    approved,
    scheduling: {
      priorityClass: PriorityClass.UNSPECIFIED,
      priority: 0,
      deadlineTime: undefined,
      maxConcurrency: 0,
      maxFailedTasks: 0,
      sampleTasks: 0,
      ...scheduling,
    },
  };
}

export function buildFailure(reason: string, blame: TaskFailure["blame"]): TaskFailure {
  return { reason, message: "it went wrong", blame };
}

export const taskFault: TaskFailure = buildFailure("BAD_NUMBERS", FailureBlame.TASK);
export const engineCrash: TaskFailure = buildFailure("ENGINE_CRASHED", FailureBlame.WORKER);

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

/** A second of device time is 1,000. */
function timingsOf(deviceMs: number) {
  const seconds = Math.floor(deviceMs / 1_000);
  const nanos = Math.round((deviceMs - seconds * 1_000) * 1_000_000);
  return { device: { seconds: BigInt(seconds), nanos } };
}

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
      return this.step(stored(task, this.#revisions));
    });
  }

  /** As one message; gives its revision. */
  storeBundle(...tasks: QueuedTask[]): bigint {
    this.#revisions += 1n;
    const message = { revision: this.#revisions, isBundled: true };
    this.scheduler.stepAll(
      tasks.map((task) => ({ kind: "task-stored", task, ...message })),
      this.now,
    );
    return this.#revisions;
  }

  /** As one step. */
  storeTogether(...tasks: QueuedTask[]): readonly SchedulerEffect[] {
    const events = tasks.map((task): SchedulerEvent => {
      this.#revisions += 1n;
      return stored(task, this.#revisions);
    });
    return this.scheduler.stepAll(events, this.now);
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

  /** Asks and gives what was granted at once. */
  askFor(worker: string, options: AskOptions = {}): Grant | undefined {
    return only(this.ask(worker, options), "grant")[0];
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

  /** The worker finishes the task after so much device time. */
  finish(worker: string, lease: Lease, deviceMs?: number): readonly SchedulerEffect[] {
    const { spec, fence } = lease;
    if (spec === undefined) throw new RangeError("a lease without spec");
    const image = {
      key: "k",
      sha256: "00",
      sizeBytes: 1n,
      mediaType: "image/png",
      modelDigest: "00",
      timings: deviceMs === undefined ? undefined : timingsOf(deviceMs),
    };
    const outcome = { ...outcomeOf(spec, OutcomeKind.SUCCEEDED, fence), worker, image };
    return this.step({ kind: "outcome-seen", id: taskIdOf(spec), outcome });
  }

  /** Finishes all of a grant, each task after so much device time. */
  finishAll(grant: Grant, deviceMs?: number): void {
    for (const lease of grant.leases) this.finish(grant.worker, lease, deviceMs);
  }

  control(options: ControlOptions): readonly SchedulerEffect[] {
    return this.step({ kind: "job-controlled", control: buildControl(options) });
  }

  projectPolicy(project: string, policy: Partial<ProjectPolicy>): readonly SchedulerEffect[] {
    const unset = { weight: 0, guaranteeTasks: 0, burstTasks: 0, queuedTasksMax: 0 };
    return this.step({ kind: "project-policy", policy: { project, ...unset, ...policy } });
  }

  poolPolicy(policy: Partial<PoolPolicy>): readonly SchedulerEffect[] {
    const unset = { pool: "default", draining: false, speculateAfter: 0 };
    return this.step({ kind: "pool-policy", policy: { ...unset, ...policy } });
  }

  workerPolicy(worker: string, policy: Partial<WorkerPolicy>): readonly SchedulerEffect[] {
    const unset = { draining: false, forgiveTime: undefined };
    return this.step({ kind: "worker-policy", policy: { worker, ...unset, ...policy } });
  }

  explain(job = "j", index?: number, project = "default"): Explanation[] {
    const ref: JobRef = taskIdOf({ project, job, index: 0 });
    return this.scheduler.explain(ref, index);
  }

  /** Why the tasks of a job wait, by the reasons' names. */
  reasonsOf(job = "j", project = "default"): Record<string, number> {
    const groups = this.explain(job, undefined, project);
    return Object.fromEntries(groups.map(({ reason, tasks }) => [waitReasonName(reason), tasks]));
  }

  /** How many tasks of the pool wait for which reason, as the gauge shows it. */
  waiting(pool = "default"): Map<WaitReason, number> {
    const counts = this.scheduler.countPools().find((each) => each.pool === pool);
    return new Map(counts?.waiting);
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

  /** A worker's heartbeats leave out its leases for as long as it takes. */
  leaveOut(worker: string): SchedulerEffect[] {
    return this.waitBeating(limits.unlistedMs + limits.beatMs, { [worker]: [] });
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

function stored(task: QueuedTask, revision: bigint): SchedulerEvent {
  return { kind: "task-stored", task, revision, isBundled: false };
}
