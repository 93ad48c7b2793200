/**
 * The broker as the farm sees it: two logs that hold the truth, two that hold what people want,
 * buckets of records, and the messages that scheduler, workers and gateways exchange. `nats/`
 * is the real one, `memory/` its twin for one process; both pass the suite in @zfarm/testing.
 * Where truth lives and why: docs/decisions/0003-queue-without-acks.md.
 *
 * Failures are FarmErrors: BROKER_UNAVAILABLE (try again), QUEUE_FULL, NO_LEADER, STATE_LOST (a
 * stream that existed is gone: stop, never start over empty).
 */
import type {
  AttemptReport,
  Control,
  Heartbeat,
  JobControl,
  JobRecord,
  JobRef,
  LoraName,
  LoraRecord,
  Outcome,
  PoolId,
  PoolPolicy,
  PoolRecord,
  Progress,
  ProjectId,
  ProjectPolicy,
  QueuedTask,
  SchedulerQuery,
  SchedulerReply,
  TaskId,
  TaskSpec,
  WorkerId,
  WorkerPolicy,
  WorkGrant,
  WorkRequest,
} from "@zfarm/contract";

/** Position of a message in its log; grows, never repeats. */
export type Revision = bigint;

export interface Broker {
  readonly kind: "nats" | "memory";
  /** Parts of the farm with a leader each; projects are spread over them. */
  readonly shards: number;
  /** The same broker as the leader of one shard sees it. Of one shard it is the whole. */
  shard(index: number): Broker;
  readonly queue: TaskQueue;
  readonly outcomes: OutcomeLog;
  readonly controls: JobControls;
  readonly policies: Policies;
  readonly jobs: JobRecords;
  readonly pools: PoolRecords;
  readonly loras: LoraRecords;
  readonly farm: FarmRecords;
  readonly link: WorkerLink;
  readonly progress: ProgressBus;
  readonly queries: SchedulerQueries;
  readonly leadership: Leadership;
  /** Undefined while everything works, else what does not, in words; for readiness. */
  problem(): string | undefined;
  /**
   * Returns when `stop` aborts; rejects with STATE_LOST as soon as that is so. A process runs it
   * beside its work, since only a new start finds a state that was restored.
   */
  untilLost(stop: AbortSignal): Promise<void>;
  /**
   * Sends what is buffered, then closes. Loops that follow a log end, terms of leadership are
   * lost, every later call fails with BROKER_UNAVAILABLE.
   */
  drain(): Promise<void>;
}

export interface StoredTask {
  readonly task: QueuedTask;
  /** Of the message that it is in. */
  readonly revision: Revision;
  /** Whether other tasks may be in the same message. */
  readonly isBundled: boolean;
}

export interface StoredOutcome {
  readonly outcome: Outcome;
  readonly revision: Revision;
}

/**
 * What following a log yields: its entries, as many as have come, and once the sign that all older
 * ones were seen.
 */
export type Followed<Entry> =
  | {
      readonly kind: "entries";
      /** None at first and where following was interrupted: then only `unread` is told. */
      readonly entries: readonly Entry[];
      /** Messages that are stored and come behind these; infinite while the broker is away. */
      readonly unread: number;
    }
  | { readonly kind: "caught-up" };

/**
 * The live tasks, from acceptance until their outcomes exist. Fresh ones of a job share a message,
 * a bundle; one that is rewritten has a message of its own, which counts from then on.
 */
export interface TaskQueue {
  /** The tasks of a job, in parts that are stored together: the same parts at every try. */
  bundlesOf(specs: readonly TaskSpec[]): readonly TaskSpec[][];
  /**
   * Stores one of these parts, whole or not at all; gives the message's revision, or "exists"
   * where it is there already. The specs differ in index, image and stack only. QUEUE_FULL.
   */
  addBundle(specs: readonly TaskSpec[]): Promise<Revision | "exists">;
  /** Stores one task in a message of its own; "exists" where it has one already. QUEUE_FULL. */
  add(task: QueuedTask): Promise<"added" | "exists">;
  /**
   * Replaces a task's own message that is still at `revision`, or gives it one where it has none,
   * 0n; gives the new revision, or "conflict".
   */
  rewrite(task: QueuedTask, revision: Revision): Promise<Revision | "conflict">;
  /** Removes the message at `revision`, whole; harmless when it is gone or was rewritten. */
  remove(revision: Revision): Promise<void>;
  /** Removes every message older than `revision`: only for who knows that all of them ended. */
  removeBefore(revision: Revision): Promise<void>;
  /** In its own message, else in its bundle. */
  find(pool: PoolId, id: TaskId): Promise<StoredTask | undefined>;
  /**
   * Every live task in order, those of a bundle together, "caught-up", then new and rewritten ones
   * as they come, through restarts of the broker. Throws BROKER_UNAVAILABLE only when it cannot
   * begin, and STATE_LOST.
   */
  follow(stop: AbortSignal): AsyncIterable<Followed<StoredTask>>;
}

/** The terminal records: at most one per task, the first one wins. */
export interface OutcomeLog {
  /**
   * "won" where this is the task's outcome, "lost" where it has another. Harmless to repeat: the
   * same bytes, or the same kind under the same fence, win again.
   */
  publish(outcome: Outcome): Promise<"won" | "lost">;
  find(id: TaskId): Promise<StoredOutcome | undefined>;
  /** All outcomes of a job, oldest first. */
  list(job: JobRef): Promise<StoredOutcome[]>;
  /** All outcomes of a project, oldest first; undefined where there are more than `max`. */
  listProject(project: ProjectId, max: number): Promise<StoredOutcome[] | undefined>;
  /** The revision of the newest outcome of any job; before the first, less than any to come. */
  lastRevision(): Promise<Revision>;
  /** As the queue's: outcomes of one job or of all, after a revision. */
  follow(options: FollowOutcomes): AsyncIterable<Followed<StoredOutcome>>;
}

export interface FollowOutcomes {
  readonly job?: JobRef;
  readonly project?: ProjectId;
  /** Only outcomes newer than this; 0n for all. */
  readonly after: Revision;
  readonly stop: AbortSignal;
}

export interface StoredControl {
  readonly control: JobControl;
  readonly revision: Revision;
}

/** What is wanted of jobs: the newest record of a job counts. Gone with the job's record. */
export interface JobControls {
  find(job: JobRef): Promise<StoredControl | undefined>;
  /** Replaces the record at `expected`, 0n for none yet. QUEUE_FULL where there is no room. */
  put(control: JobControl, expected: Revision): Promise<Revision | "conflict">;
  /** As the queue's. */
  follow(stop: AbortSignal): AsyncIterable<Followed<StoredControl>>;
}

/** What operators want of projects, pools and workers; kept for good. */
export interface Policies {
  readonly projects: PolicyRecords<ProjectPolicy>;
  readonly pools: PolicyRecords<PoolPolicy>;
  readonly workers: PolicyRecords<WorkerPolicy>;
  /** As the queue's: all three kinds in the order of writing. */
  follow(stop: AbortSignal): AsyncIterable<Followed<StoredPolicy>>;
}

export interface PolicyRecords<Policy> {
  find(id: string): Promise<{ policy: Policy; revision: Revision } | undefined>;
  /** Replaces the policy at `expected`, 0n for none yet. QUEUE_FULL where there is no room. */
  put(policy: Policy, expected: Revision): Promise<Revision | "conflict">;
  /** All of this kind, in the order of writing. */
  list(): Promise<{ policy: Policy; revision: Revision }[]>;
}

export type StoredPolicy = { readonly revision: Revision } & (
  | { readonly kind: "project"; readonly policy: ProjectPolicy }
  | { readonly kind: "pool"; readonly policy: PoolPolicy }
  | { readonly kind: "worker"; readonly policy: WorkerPolicy }
);

export interface StoredJob {
  readonly record: JobRecord;
  readonly revision: Revision;
}

export interface JobRecords {
  /** Stores a new record, or gives the one that stands. */
  create(record: JobRecord): Promise<{ created: boolean; stored: StoredJob }>;
  find(job: JobRef): Promise<StoredJob | undefined>;
  /** Replaces a record that is still at `revision`. */
  update(record: JobRecord, revision: Revision): Promise<Revision | "conflict">;
}

export interface PoolRecords {
  put(record: PoolRecord): Promise<void>;
  find(pool: PoolId): Promise<PoolRecord | undefined>;
  /** All of them by name. */
  list(): Promise<PoolRecord[]>;
}

export interface StoredLora {
  readonly record: LoraRecord;
  readonly revision: Revision;
}

/**
 * The adapters of projects. Records stay when adapters are deleted, until nobody can need them any
 * more, so that what is missing was lost.
 */
export interface LoraRecords {
  find(name: LoraName): Promise<StoredLora | undefined>;
  /** All of a project by name, deleted ones too. */
  list(project: ProjectId): Promise<StoredLora[]>;
  /** All of the farm, project by project. */
  listAll(): Promise<StoredLora[]>;
  /** Replaces the record at `expected`, 0n for none yet. QUEUE_FULL where there is no room. */
  put(record: LoraRecord, expected: Revision): Promise<Revision | "conflict">;
  /** Removes the record at `revision`; harmless when it is gone or was replaced. */
  remove(revision: Revision): Promise<void>;
}

/** Whether what the object store knows was put back; lost with the streams that it is about. */
export interface FarmRecords {
  /** Of every shard that this broker shows. */
  isRestored(): Promise<boolean>;
  /** Leader: of its shard. */
  markRestored(time: Date): Promise<void>;
}

/** Ends a subscription; harmless when repeated. */
export type Unsubscribe = () => void;

/** Between workers and the leader. Handlers must not throw; what they throw stops the process. */
export interface WorkerLink {
  /**
   * Worker: asks the leader of a shard, the first by default, for work and waits up to
   * limits.askTimeoutMs. NO_LEADER, BROKER_UNAVAILABLE, or the stop signal's reason.
   */
  ask(request: WorkRequest, stop: AbortSignal, shard?: number): Promise<WorkGrant>;
  /** Worker: best effort. */
  beat(heartbeat: Heartbeat): void;
  /** Worker: delivered to the leader, or NO_LEADER / BROKER_UNAVAILABLE. */
  report(report: AttemptReport): Promise<void>;
  /** Worker: commands to it. */
  onControl(worker: WorkerId, handle: (control: Control) => void): Unsubscribe;
  /** Leader: `respond` may be called later, once; answers to askers that left are dropped. */
  serveAsks(
    handle: (request: WorkRequest, respond: (grant: WorkGrant) => void) => void,
  ): Unsubscribe;
  /** Monotonic milliseconds: a subscription older than this missed what came before it. */
  readonly connectedSince: number;
  /** Leader and standby. */
  onBeat(handle: (heartbeat: Heartbeat) => void): Unsubscribe;
  /** Leader: acknowledged when the handler returns. */
  serveReports(handle: (report: AttemptReport) => void): Unsubscribe;
  /** Leader: best effort. */
  control(worker: WorkerId, control: Control): void;
}

/** Droppable news of tasks: never the only way to learn that one ended. */
export interface ProgressBus {
  publish(progress: Progress): void;
  /** Gateway: somebody wishes to see previews of the job for the next seconds. */
  wishPreviews(job: JobRef): void;
  /** Worker: hears the wishes of all gateways. */
  onPreviewWish(handle: (job: JobRef) => void): Unsubscribe;
  /** Resolves once the subscription is in force: what is published after is seen. */
  subscribe(job: JobRef, handle: (progress: Progress) => void): Promise<Unsubscribe>;
}

/** Questions that only the leader can answer. */
export interface SchedulerQueries {
  /** NO_LEADER, BROKER_UNAVAILABLE. */
  ask(query: SchedulerQuery): Promise<SchedulerReply>;
  serve(handle: (query: SchedulerQuery) => SchedulerReply): Unsubscribe;
}

/** One holder at a time by a lease; safety never depends on it, only wasted work does. */
export interface Leadership {
  /** Waits until this candidate leads. Rejects with the stop signal's reason when stopped. */
  acquire(candidate: string, stop: AbortSignal): Promise<LeaderTerm>;
}

export interface LeaderTerm {
  /** Grows with every term of anyone. */
  readonly epoch: bigint;
  /** Monotonic milliseconds: no grant from then on; grows with every renewal. */
  readonly grantsUntil: number;
  /** Monotonic milliseconds: no leader before this one has granted anything since. */
  readonly quietSince: number;
  /** Aborts when the lease could not be renewed in time: stop leading at once. */
  readonly lost: AbortSignal;
  /** Gives the lease up, so that a standby need not wait for it to expire. */
  resign(): Promise<void>;
}
