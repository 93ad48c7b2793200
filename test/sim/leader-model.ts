/**
 * One term of leadership around the product's core, as the scheduler's shell does it: rebuild
 * from the logs, look up outcomes, serve, write in the background and retry. Mirrors
 * services/scheduler/src/{decider,leader-term,rebuild-index,term-writer}.ts.
 */
import {
  type Heartbeat,
  type JobControl,
  type LeasedTask,
  limits,
  type Outcome,
  type PoolId,
  type TaskFailure,
  type TaskId,
  taskIdOf,
  taskKey,
  type WorkerId,
  type WorkGrant,
} from "@zfarm/contract";
import { Scheduler } from "../../services/scheduler/src/domain/scheduler.ts";
import type { SchedulerEffect } from "../../services/scheduler/src/domain/scheduler-effect.ts";
import type {
  SchedulerEvent,
  WorkAsked,
} from "../../services/scheduler/src/domain/scheduler-event.ts";
import type { EarsModel } from "./ears-model.ts";
import { type Proc, type Routine, wait } from "./kernel.ts";
import type { LogModel, Stored } from "./log-model.ts";
import { entriesOf, type QueuedEntry } from "./queue-model.ts";
import { SweeperModel } from "./sweeper-model.ts";
import { TermLedger } from "./term-ledger.ts";
import type { WorkerModel } from "./worker-model.ts";
import { startAt, type World } from "./world.ts";

type EffectOf<Kind extends SchedulerEffect["kind"]> = Extract<SchedulerEffect, { kind: Kind }>;

/** Entries of a log that come within so many milliseconds are handed on together. */
const togetherMs = 3;
/** Outcomes looked up with one request while the index is rebuilt. */
const lookUpChunk = 16;

interface Term {
  readonly epoch: bigint;
  readonly onEnd: (why: string) => void;
  readonly ears: EarsModel;
  /** By the monotonic clock of the process. */
  readonly grantsUntil: () => number;
  readonly quietSince: number;
}

export class LeaderModel {
  readonly proc: Proc;
  readonly epoch: bigint;
  readonly scheduler: Scheduler;
  readonly ledger: TermLedger;
  /** No event is looked at after this. */
  isEnded = false;
  /** Nothing is written after this. */
  isOver = false;
  readonly #world: World;
  readonly #term: Term;
  readonly #asks = new Map<number, (grant: WorkGrant) => void>();
  /** Writes of one task, one after another. */
  readonly #lanes = new Map<string, Routine[]>();
  readonly #followers: { isStopped: boolean }[] = [];
  /** Jobs that fail as a whole after so many failed tasks. */
  readonly #budgeted = new Set<string>();
  #isServing = false;
  /** Entries that came and were not told yet, log by log. */
  readonly #tasks: SchedulerEvent[] = [];
  readonly #outcomes: SchedulerEvent[] = [];
  readonly #sweeper: SweeperModel;
  readonly #life: number;
  readonly #anchorMs: number;
  #decidedAt: number;
  #grantsUntil = Number.NEGATIVE_INFINITY;
  #askCount = 0;
  #wakesAt = 0;

  constructor(world: World, proc: Proc, term: Term) {
    this.#world = world;
    this.proc = proc;
    this.epoch = term.epoch;
    this.#term = term;
    this.#life = proc.life;
    this.scheduler = new Scheduler(term.epoch);
    const mono = proc.mono(world.kernel.now);
    this.#anchorMs = startAt + world.kernel.now + proc.wallOffsetMs - mono;
    this.#decidedAt = mono;
    this.#sweeper = new SweeperModel({
      kernel: world.kernel,
      proc,
      isOver: () => this.isOver,
      remove: (revision) => this.#retry(() => this.#remove(revision)),
      removeBefore: (revision) => this.#retry(() => this.#removeBefore(revision)),
    });
    this.ledger = new TermLedger(world.oracle, this);
  }

  /** The core's time: the wall clock of when the term began, and the monotonic one since. */
  get now(): number {
    return Math.floor(this.#anchorMs + this.#decidedAt);
  }

  begin(): void {
    const { kernel } = this.#world;
    this.#recall();
    kernel.spawn(this.proc, this.#lead());
    kernel.timer(this.proc, limits.schedulerTickMs, () => this.#tick());
  }

  /** A graceful end: waiting workers are sent on, writes may finish. */
  *resign(): Routine {
    this.#close();
    for (const ask of this.#asks.keys()) this.#answer(ask, []);
    const { kernel } = this.#world;
    const isBusy = (): boolean => this.#lanes.size > 0 || !this.#sweeper.isIdle;
    for (let left = limits.brokerRequestMs; left > 0 && isBusy(); left -= 50) {
      yield* kernel.sleep(this.proc, 50);
    }
    this.isOver = true;
  }

  /** Lost, failed or dead: from now on this term does nothing. */
  end(why: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#close();
    this.#term.onEnd(why);
  }

  hear(heartbeat: Heartbeat, pool: PoolId): void {
    const event = readBeat(heartbeat, pool);
    if (event !== undefined) this.decide(event);
  }

  /** The core's time from which on it may grant nothing more. */
  get grantsUntil(): number {
    return this.#anchorMs + this.#grantsUntil;
  }

  /** What was heard before the term, at the times it was heard. */
  #recall(): void {
    const now = this.#decidedAt;
    const { from, beats } = this.#term.ears.recall(this.#term.quietSince);
    this.#decidedAt = from;
    this.#step([{ kind: "listening" }]);
    for (const { heartbeat, pool, heardAt } of beats) {
      const event = readBeat(heartbeat, pool);
      this.#decidedAt = heardAt;
      if (event !== undefined) this.#step([event]);
    }
    this.#decidedAt = now;
  }

  takeAsk(request: Omit<WorkAsked, "ask" | "kind">, respond: (grant: WorkGrant) => void): void {
    if (this.isEnded) return;
    this.#askCount += 1;
    const ask = this.#askCount;
    this.#asks.set(ask, respond);
    this.decide({ kind: "work-asked", ask, ...request });
  }

  takeReport(worker: WorkerId, leased: LeasedTask, failure: TaskFailure | undefined): void {
    this.decide({ kind: "attempt-reported", worker, leased, failure });
  }

  decide(event: SchedulerEvent): void {
    this.decideAll([event]);
  }

  decideAll(events: readonly SchedulerEvent[]): void {
    if (this.isEnded || this.#hasFrozen()) return;
    const until = this.#term.grantsUntil();
    if (until !== this.#grantsUntil) {
      this.#grantsUntil = until;
      this.#step([{ kind: "lease-renewed", grantsUntil: this.grantsUntil }]);
    }
    this.#step(events);
  }

  /** Tells an entry with those of its log that come at the same time. */
  #gather(events: SchedulerEvent[], event: SchedulerEvent): void {
    events.push(event);
    if (events.length > 1) return;
    const ms = this.proc.rand.below(togetherMs);
    this.#world.kernel.timer(this.proc, ms, () => this.#tellTogether(events));
  }

  #tellTogether(events: SchedulerEvent[]): void {
    if (events.length > 1) this.#world.oracle.mark("told-together");
    if (events.length > 0) this.decideAll(events.splice(0));
  }

  #step(events: readonly SchedulerEvent[]): void {
    const effects = this.#think(events);
    this.ledger.check(events, effects);
    for (const effect of effects) this.#apply(effect);
    this.#wakeInTime();
  }

  #think(events: readonly SchedulerEvent[]): readonly SchedulerEffect[] {
    try {
      return this.scheduler.stepAll(events, this.now);
    } catch (error) {
      this.#world.oracle.violate("core-throws", String(error));
      return [];
    }
  }

  #hasFrozen(): boolean {
    const mono = this.proc.mono(this.#world.kernel.now);
    const stoodStillMs = mono - this.#decidedAt;
    this.#decidedAt = mono;
    if (stoodStillMs < limits.leaderLeaseMs) return false;
    this.#world.oracle.mark("leader-froze");
    this.end("stood still");
    return true;
  }

  /** A step may have set a time that is before the next tick: a batch is forming. */
  #wakeInTime(): void {
    const { wakesAt } = this.scheduler;
    if (wakesAt === undefined || wakesAt >= this.#wakesAt - 1) return;
    const leftMs = Math.max(1, wakesAt - this.now);
    this.#wakesAt = wakesAt;
    this.#world.kernel.timer(this.proc, leftMs, () => {
      if (this.#wakesAt === wakesAt) this.#beTicked();
    });
  }

  #beTicked(): void {
    this.#wakesAt = this.now + limits.schedulerTickMs;
    this.decide({ kind: "tick" });
  }

  #tick(): void {
    if (this.isEnded) return;
    this.#beTicked();
    for (const ids of this.#sweeper.outlived()) this.decide({ kind: "bundle-outlived", ids });
    this.#world.kernel.timer(this.proc, limits.schedulerTickMs, () => this.#tick());
  }

  *#lead(): Routine {
    const { broker } = this.#world;
    const before = yield* broker.call(this.proc, () => broker.outcomes.lastRevision);
    if (before === undefined) return this.end("outcomes unknown");
    yield* this.#hearWishes();
    let found: QueuedEntry[] | undefined = [];
    const follower = broker.queue.follow(this.proc, 0n, {
      onEntry: (message) => {
        for (const entry of entriesOf(message)) {
          this.#sweeper.saw(entry);
          if (found === undefined) this.#gather(this.#tasks, taskStored(entry));
          else found.push(entry);
        }
      },
      onCaughtUp: () => {
        const stored = found ?? [];
        // Nothing more is read meanwhile: what comes next waits in the log.
        follower.isHeld = true;
        const done = (): void => {
          found = undefined;
          broker.queue.release(follower);
        };
        this.#world.kernel.spawn(this.proc, this.#rebuild(stored, { before, done }));
      },
    });
    this.#followers.push(follower);
  }

  /** All that is wanted is told before the first task is, so that nothing starts that was held. */
  *#hearWishes(): Routine {
    const { broker } = this.#world;
    yield* wait<void>((resume) => {
      let left = 2;
      const onCaughtUp = (): void => {
        left -= 1;
        if (left === 0) resume();
      };
      this.#follow(broker.policies, ({ value }) => this.decide(value), { onCaughtUp });
      this.#follow(broker.controls, ({ value }) => this.#control(value), { onCaughtUp });
    });
    this.#isServing = true;
  }

  #control(control: JobControl): void {
    this.decide({ kind: "job-controlled", control });
    const key = `${control.project}.${control.job}`;
    if ((control.scheduling?.maxFailedTasks ?? 0) === 0 || this.#budgeted.has(key)) return;
    this.#budgeted.add(key);
    if (this.#isServing) this.#world.kernel.spawn(this.proc, this.#tellOutcomes(key));
  }

  /** A budget that a running job gets counts what has failed already. */
  *#tellOutcomes(job: string): Routine {
    const { broker } = this.#world;
    const outcomes = yield* broker.call(this.proc, () => this.#outcomesOf(job));
    if (outcomes === undefined) return this.end("outcomes unread");
    for (const outcome of outcomes) this.#settle(outcome);
  }

  #outcomesOf(job: string): Outcome[] {
    const { outcomes } = this.#world.broker;
    const prefix = `${job}.`;
    return [...outcomes.values()].flatMap(({ key, value }) =>
      key.startsWith(prefix) ? [value] : [],
    );
  }

  *#rebuild(
    stored: readonly QueuedEntry[],
    { before, done }: { before: bigint; done: () => void },
  ): Routine {
    const outcomes = new Map<string, Outcome>();
    for (let at = 0; at < stored.length; at += lookUpChunk) {
      const chunk = stored.slice(at, at + lookUpChunk);
      if (!(yield* this.#lookUpChunk(chunk, outcomes))) return this.end("outcomes unread");
      if (this.isEnded) return;
    }
    const jobs = new Set(stored.map(({ key }) => key.slice(0, key.lastIndexOf("."))));
    for (const job of jobs) {
      if (!this.#budgeted.has(job)) continue;
      yield* this.#tellOutcomes(job);
      if (this.isEnded) return;
    }
    this.ledger.isRebuilding = true;
    for (const entry of stored) {
      const outcome = outcomes.get(entry.key);
      if (outcome !== undefined) {
        this.#world.oracle.mark("outcome-found-at-rebuild");
        this.#settle(outcome);
      }
      this.decide(taskStored(entry));
    }
    this.ledger.isRebuilding = false;
    const { broker } = this.#world;
    const onOutcome = ({ value }: Stored<Outcome>): void => {
      for (const event of outcomeSeen(value)) this.#gather(this.#outcomes, event);
    };
    this.#follow(broker.outcomes, onOutcome, {
      after: before,
      onRead: (count, unread) => {
        const read = { kind: "outcomes-read", count, unread } as const;
        if (this.#outcomes.length > 0) this.#outcomes.push(read);
        else this.decide(read);
      },
      onCaughtUp: () => {
        this.#tellTogether(this.#outcomes);
        if (this.isEnded) return;
        this.#world.servers.add(this);
        this.decide({ kind: "rebuilt" });
        const { manifests } = this.#world;
        if (manifests !== undefined) {
          this.#world.kernel.spawn(this.proc, manifests.keepStore(this));
        }
        this.#world.oracle.mark("term-serves");
      },
    });
    done();
  }

  *#lookUpChunk(chunk: readonly QueuedEntry[], outcomes: Map<string, Outcome>): Routine<boolean> {
    const { broker } = this.#world;
    const read = yield* broker.call(this.proc, () =>
      chunk.map(({ key }) => this.#world.findOutcome(key)),
    );
    if (read === undefined) return false;
    chunk.forEach(({ key }, index) => {
      const outcome = read[index];
      if (outcome !== undefined) outcomes.set(key, outcome);
    });
    return true;
  }

  #follow<V>(
    log: LogModel<V>,
    onEntry: (entry: Stored<V>) => void,
    options: {
      after?: bigint;
      onCaughtUp?: () => void;
      onRead?: (count: number, unread: number) => void;
    } = {},
  ): void {
    const { after = 0n, onCaughtUp = () => undefined, onRead } = options;
    this.#followers.push(log.follow(this.proc, after, { onEntry, onCaughtUp, onRead }));
  }

  #settle(outcome: Outcome): void {
    for (const event of outcomeSeen(outcome)) this.decide(event);
  }

  #close(): void {
    this.isEnded = true;
    this.#world.servers.delete(this);
    for (const follower of this.#followers) follower.isStopped = true;
  }

  #apply(effect: SchedulerEffect): void {
    switch (effect.kind) {
      case "grant":
        return this.#answer(effect.ask, [...effect.leases]);
      case "answer-empty":
        return this.#answer(effect.ask, []);
      case "control-cancel":
        return this.#command(effect.worker, (worker) => worker.cancel(this.epoch, effect.leased));
      case "announce-leader":
        return this.#command(effect.worker, (worker) => worker.meetLeader(this.epoch));
      case "control-drain":
        return this.#command(effect.worker, (worker) => worker.command(this.epoch, "drain"));
      case "control-resume":
        return this.#command(effect.worker, (worker) => worker.command(this.epoch, "resume"));
      case "prewarm":
        return this.#command(effect.worker, (worker) => worker.prewarm(this.epoch, effect.adapter));
      case "publish-outcome":
        return this.#write(effect.id, () => this.#publish(effect));
      case "rewrite-task":
        return this.#write(effect.id, () => this.#rewrite(effect));
      case "remove-task":
        if (effect.reason === "rewritten") return this.#sweeper.forget(effect.revision);
        return this.#sweeper.leave(effect.revision);
      case "task-released":
        if (effect.reason === "lease-dropped" || effect.reason === "lease-expired") {
          this.#write(effect.id, () => this.#lookUp(effect.id));
        }
        return;
      case "announce-position":
      case "lease-adopted":
      case "cost-learned":
      case "worker-quarantined":
        return;
    }
  }

  #answer(ask: number, leases: WorkGrant["leases"]): void {
    const respond = this.#asks.get(ask);
    this.#asks.delete(ask);
    respond?.({ epoch: this.epoch, leaseMs: limits.leaseMs, leases });
  }

  #command(worker: WorkerId, obey: (worker: WorkerModel) => void): void {
    this.#world.toWorker(this.proc, worker, obey);
  }

  /** Gives whether it is done; else it is tried again. */
  #write(id: TaskId, work: () => Routine<boolean>): void {
    const key = taskKey(id);
    const lane = this.#lanes.get(key);
    if (lane !== undefined) {
      lane.push(this.#retry(work));
      return;
    }
    this.#lanes.set(key, [this.#retry(work)]);
    this.#world.kernel.spawn(this.proc, this.#drain(key));
  }

  *#drain(key: string): Routine {
    const lane = this.#lanes.get(key) ?? [];
    for (let next = lane.shift(); next !== undefined; next = lane.shift()) yield* next;
    this.#lanes.delete(key);
  }

  *#retry(work: () => Routine<boolean>): Routine {
    for (let attempt = 1; !this.isOver; attempt += 1) {
      if (yield* work()) return;
      const boundMs = Math.min(5_000, 100 * 2 ** (attempt - 1));
      yield* this.#world.kernel.sleep(this.proc, this.proc.rand.below(boundMs));
    }
  }

  *#publish({ outcome, id }: EffectOf<"publish-outcome">): Routine<boolean> {
    const { broker, oracle } = this.#world;
    const key = taskKey(id);
    const { manifests } = this.#world;
    if (manifests?.isAway === true) return false;
    manifests?.copy(key, outcome);
    const put = yield* broker.call(this.proc, () => {
      if (this.#isForeign()) oracle.mark("zombie-write");
      return oracle.publish(broker, key, outcome);
    });
    if (put === undefined) return false;
    if (put !== "conflict") return true;
    if (!oracle.isOutcome(broker, key, outcome.fence)) manifests?.dropCopy(key, outcome.fence);
    oracle.mark("outcome-lost-race");
    return yield* this.#lookUp(id);
  }

  *#lookUp(id: TaskId): Routine<boolean> {
    const { broker } = this.#world;
    const key = taskKey(id);
    const found = yield* broker.call(this.proc, () => this.#world.findOutcome(key) ?? null);
    if (found === undefined) return false;
    if (found !== null) this.decide({ kind: "outcome-seen", id, outcome: found });
    return true;
  }

  *#rewrite({ id, task, revision }: EffectOf<"rewrite-task">): Routine<boolean> {
    const { broker, oracle } = this.#world;
    const { queueMax } = this.#world.case.options;
    const put = yield* broker.call(this.proc, () => {
      if (this.#isForeign()) oracle.mark("zombie-write");
      if (revision === 0n && broker.queue.size >= queueMax) return "full";
      return broker.queue.put(taskKey(id), [task], revision);
    });
    if (put === undefined) return false;
    if (typeof put === "string") oracle.mark(`rewrite-${put}`);
    this.decide({
      kind: "task-rewritten",
      id,
      revision: typeof put === "string" ? undefined : put,
    });
    return true;
  }

  *#remove(revision: bigint): Routine<boolean> {
    const { broker, oracle } = this.#world;
    const done = yield* broker.call(this.proc, () => {
      oracle.remove(broker, revision);
      return true;
    });
    return done !== undefined;
  }

  *#removeBefore(revision: bigint): Routine<boolean> {
    const { broker, oracle } = this.#world;
    const done = yield* broker.call(this.proc, () => {
      oracle.mark("queue-swept");
      for (const stored of broker.queue.before(revision)) oracle.remove(broker, stored.revision);
      return true;
    });
    return done !== undefined;
  }

  /** Whether somebody else leads by the time the write arrives. */
  #isForeign(): boolean {
    return this.#life !== this.proc.life || this.#world.oracle.newestEpoch > this.epoch;
  }
}

function readBeat({ worker: info, running }: Heartbeat, pool: PoolId): SchedulerEvent | undefined {
  if (info === undefined) return undefined;
  const worker = info.name.slice("workers/".length) as WorkerId;
  return { kind: "beat-heard", worker, pool, info, running };
}

function taskStored({ task, revision, isBundled }: QueuedEntry): SchedulerEvent {
  return { kind: "task-stored", task, revision, isBundled };
}

function outcomeSeen(outcome: Outcome): SchedulerEvent[] {
  const { spec } = outcome;
  return spec === undefined ? [] : [{ kind: "outcome-seen", id: taskIdOf(spec), outcome }];
}
