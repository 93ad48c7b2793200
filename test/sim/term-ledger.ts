/**
 * Books of one term, kept from the events a core was told and the effects it answered with, and
 * compared after every step with what must always hold. Knows nothing of how the core decides.
 */
import {
  type JobControl,
  limits,
  type PoolPolicy,
  type TaskSpec,
  taskIdOf,
  taskKey,
  type WorkerPolicy,
} from "@zfarm/contract";
import type {
  Grant,
  SchedulerEffect,
} from "../../services/scheduler/src/domain/scheduler-effect.ts";
import type { SchedulerEvent } from "../../services/scheduler/src/domain/scheduler-event.ts";
import { FairBook } from "./fair-book.ts";
import type { LeaderModel } from "./leader-model.ts";
import type { Oracle } from "./oracle.ts";

type EffectOf<Kind extends SchedulerEffect["kind"]> = Extract<SchedulerEffect, { kind: Kind }>;
type EventOf<Kind extends SchedulerEvent["kind"]> = Extract<SchedulerEvent, { kind: Kind }>;

interface LedgerLease {
  readonly worker: string;
  readonly fence: bigint;
  /** When the holder was last heard to have it, on the clock of the leader. */
  confirmedAt: number;
  /** The same on the clock of the kernel. */
  heldAt: number;
}

interface LedgerTask {
  readonly spec: TaskSpec;
  readonly expiresAt: number;
  /** Who holds it: nobody, one, or two where a second try is allowed. */
  readonly leases: LedgerLease[];
  /** The newest fence under which this term has seen it held. */
  fenceMax: bigint;
  isEnding: boolean;
  /** It was there when the index was rebuilt, so its outcome would have been found. */
  readonly isOld: boolean;
}

/** What a worker said it runs. */
interface Listing {
  readonly fence: bigint;
  readonly worker: string;
  readonly at: number;
}

/** Without an effect these have changed nothing. */
const quietEvents = new Set<SchedulerEvent["kind"]>(["tick", "beat-heard", "work-asked"]);

/** More than fit into the life of a lease. */
const beatsKept = 32;

/** A try may end as the task's own failure or as a crash; each has a bound. */
const triesMax = limits.attemptsMax + limits.taskCrashesMax;

export class TermLedger {
  readonly live = new Map<string, LedgerTask>();
  /** Tasks that are told now had their outcomes looked up. */
  isRebuilding = false;
  readonly #oracle: Oracle;
  readonly #leader: LeaderModel;
  readonly #ended = new Set<string>();
  readonly #listedBy = new Map<string, readonly string[]>();
  /** When workers were heard lately, on the clock of the kernel. */
  readonly #beats = new Map<string, number[]>();
  readonly #listings = new Map<string, Listing>();
  /** Fences whose attempts were reported or released: listing them says nothing any more. */
  readonly #over = new Set<bigint>();
  readonly #asks = new Map<number, { readonly slots: number; readonly worker: string }>();
  readonly #controls = new Map<string, JobControl>();
  readonly #pools = new Map<string, PoolPolicy>();
  readonly #workers = new Map<string, WorkerPolicy>();
  readonly #bursts = new Map<string, number>();
  readonly #runningOfProject = new Map<string, number>();
  readonly #runningOfJob = new Map<string, number>();
  readonly #term: number;
  readonly #fair: FairBook | undefined;
  /** A report of an attempt that was judged before. */
  #isRepeated = false;
  #leased = 0;
  #isRebuilt = false;
  #fence: bigint;

  constructor(oracle: Oracle, leader: LeaderModel) {
    this.#oracle = oracle;
    this.#leader = leader;
    this.#term = oracle.terms;
    this.#fair = oracle.options.isFairnessRun ? new FairBook(oracle.options) : undefined;
    this.#fence = leader.epoch << 32n;
  }

  /** Long enough to tell fair shares from unfair ones. */
  get fairWindows(): number {
    return this.#fair?.longWindows ?? 0;
  }

  get isRebuilt(): boolean {
    return this.#isRebuilt;
  }

  runningOf(project: string): number {
    return this.#runningOfProject.get(project) ?? 0;
  }

  /** Events that came together are entries of one log; all others come alone. */
  check(events: readonly SchedulerEvent[], effects: readonly SchedulerEffect[]): void {
    const [event] = events;
    if (event === undefined) return;
    if (this.#oracle.trace !== undefined) this.#trace(events, effects);
    for (const each of events) this.#hear(each);
    for (const effect of effects) this.#judge(effect, event);
    // Whatever changes a count says so.
    if (effects.length === 0 && quietEvents.has(event.kind)) return;
    this.#checkCounts();
  }

  #trace(events: readonly SchedulerEvent[], effects: readonly SchedulerEffect[]): void {
    const toText = (_: string, value: unknown): unknown =>
      typeof value === "bigint" ? String(value) : value;
    const text = JSON.stringify([...events, ...effects], toText);
    if (events[0]?.kind === "tick" && effects.length === 0) return;
    this.#oracle.trace?.(`${this.#oracle.kernel.now} epoch ${this.#leader.epoch}: ${text}`);
  }

  #hear(event: SchedulerEvent): void {
    switch (event.kind) {
      case "bundle-outlived":
        this.#oracle.mark(event.kind);
        return;
      case "task-stored":
        return this.#store(event);
      case "outcome-seen":
        return this.#settle(taskKey(event.id));
      case "work-asked":
        this.#asks.set(event.ask, { slots: event.slotsFree, worker: event.worker });
        return this.#list(event);
      case "beat-heard":
        this.#noteBeat(event.worker);
        return this.#list(event);
      case "rebuilt":
        this.#isRebuilt = true;
        return;
      case "job-controlled":
        this.#controls.set(`${event.control.project}.${event.control.job}`, event.control);
        return;
      case "project-policy":
        this.#bursts.set(event.policy.project, event.policy.burstTasks);
        return;
      case "pool-policy":
        this.#pools.set(event.policy.pool, event.policy);
        return;
      case "worker-policy":
        this.#workers.set(event.policy.worker, event.policy);
        return;
      case "attempt-reported":
        this.#isRepeated = this.#over.has(event.leased.fence);
        if (this.#isRepeated) this.#oracle.mark("report-repeated");
        this.#noteStale(event);
        this.#over.add(event.leased.fence);
        return;
      case "task-rewritten":
      case "outcomes-read":
      case "lease-renewed":
      case "prefetch-asked":
      case "workers-retired":
      case "listening":
      case "tick":
        return;
    }
  }

  /** No worker is told that a task has ended that has not. */
  #checkStop({ leased, reason }: EffectOf<"control-cancel">): void {
    const truth = this.#oracle.tasks.get(taskKey(taskIdOf(leased)));
    // What a power loss took may have been known to have ended, or not be known to live.
    if (reason === "task-ended" && truth?.outcome === undefined && truth?.isDoubtful !== true) {
      this.#fail("I4", "a healthy render is stopped: its task's message is still on its way");
    }
  }

  #noteStale({ leased }: EventOf<"attempt-reported">): void {
    const leases = this.live.get(taskKey(taskIdOf(leased)))?.leases ?? [];
    const isStale = leases.length > 0 && leases.every(({ fence }) => fence !== leased.fence);
    if (isStale) this.#oracle.mark("stale-report");
  }

  #store({ task: { spec } }: EventOf<"task-stored">): void {
    if (spec === undefined) return;
    const key = taskKey(taskIdOf(spec));
    if (this.live.has(key) || this.#ended.has(key)) return;
    const expiresAt = spec.expireTime?.getTime() ?? Number.POSITIVE_INFINITY;
    this.#fair?.stored(spec.project);
    const isOld = this.isRebuilding;
    this.live.set(key, { spec, expiresAt, leases: [], fenceMax: 0n, isEnding: false, isOld });
  }

  #settle(key: string): void {
    this.#ended.add(key);
    const task = this.live.get(key);
    if (task === undefined) return;
    if (task.leases.length > 0) this.#countRunning(task, -1);
    this.live.delete(key);
    this.#listings.delete(key);
  }

  #noteBeat(worker: string): void {
    const beats = this.#beats.get(worker) ?? [];
    beats.push(this.#oracle.kernel.now);
    if (beats.length > beatsKept) beats.shift();
    this.#beats.set(worker, beats);
  }

  #list({ worker, running }: { worker: string; running: EventOf<"beat-heard">["running"] }): void {
    const at = this.#leader.now;
    // What it listed before and lists no more it has no more: it was told to stop, or crashed.
    for (const key of this.#listedBy.get(worker) ?? []) {
      if (this.#listings.get(key)?.worker === worker) this.#listings.delete(key);
    }
    const keys: string[] = [];
    this.#listedBy.set(worker, keys);
    for (const leased of running) {
      const key = taskKey(taskIdOf(leased));
      const task = this.live.get(key);
      // What ended and is stored once more by a late create has been told to stop.
      if (task === undefined && this.#isRebuilt) continue;
      const lease = task?.leases.find(({ fence }) => fence === leased.fence);
      if (lease !== undefined && lease.worker === worker) {
        lease.confirmedAt = at;
        lease.heldAt = this.#oracle.kernel.now;
      }
      keys.push(key);
      this.#listings.set(key, { fence: leased.fence, worker, at });
    }
  }

  #judge(effect: SchedulerEffect, event: SchedulerEvent): void {
    const { kernel } = this.#oracle;
    switch (effect.kind) {
      case "grant":
        return this.#judgeGrant(effect);
      case "answer-empty":
        kernel.note(effect.ask);
        this.#closeAsk(effect.ask);
        this.#oracle.mark(`empty/${effect.reason}`);
        return;
      case "task-released":
        return this.#judgeRelease(effect, event);
      case "lease-adopted":
        return this.#judgeAdoption(effect);
      case "publish-outcome":
        return this.#judgeOutcome(effect);
      case "rewrite-task":
        this.#checkRepeat(taskKey(effect.id), event);
        kernel.note(Number(effect.revision));
        this.#oracle.mark(`${effect.kind}/${effect.reason}`);
        return;
      case "remove-task":
        kernel.note(Number(effect.revision));
        this.#oracle.mark(`${effect.kind}/${effect.reason}`);
        return;
      case "control-cancel":
        this.#checkStop(effect);
        this.#oracle.mark(`cancel/${effect.reason}`);
        return;
      case "worker-quarantined":
        this.#oracle.mark(`quarantine/${effect.reason}`);
        return;
      case "control-drain":
      case "control-resume":
      case "prewarm":
        this.#oracle.mark(effect.kind);
        return;
      case "cost-learned":
      case "announce-leader":
      case "announce-position":
        return;
    }
  }

  #judgeGrant(grant: Grant): void {
    const { slots, worker } = this.#closeAsk(grant.ask);
    this.#oracle.mark(`grant/${grant.reason}`);
    if (!this.#isRebuilt) this.#fail("I1", "a grant before the index was rebuilt");
    if (this.#leader.now >= this.#leader.grantsUntil) {
      this.#fail("I4", "a grant in the part of the lease that is for the next leader's ears");
    }
    if (worker !== grant.worker) this.#fail("I4", "a grant answers another worker");
    if (grant.leases.length === 0) this.#fail("I11", "a grant of nothing");
    if (grant.leases.length > Math.min(slots, limits.batchTasksMax)) {
      this.#fail("I13", `${grant.leases.length} tasks for ${slots} slots`);
    }
    for (const { spec, fence, attempt } of grant.leases) {
      if (spec === undefined) this.#fail("I7", "a lease of nothing");
      const key = taskKey(taskIdOf(spec));
      const task = this.live.get(key);
      this.#oracle.kernel.note(Number(fence & 0xffff_ffffn));
      if (task === undefined) this.#fail("I7", `${key} is granted and not live`);
      if (fence <= this.#fence) this.#fail("I4", `fence ${fence} after ${this.#fence}`);
      this.#fence = fence;
      if (fence >> 32n !== this.#leader.epoch) this.#fail("I4", `fence ${fence} of another epoch`);
      if (grant.reason === "straggler") this.#checkRival(key, task);
      else this.#checkGranted(key, task, attempt);
      this.#checkWishes(key, task, worker);
      this.#hold(task, { worker: grant.worker, fence, ...this.#confirmed });
      this.#oracle.granted(key, fence);
      if (grant.reason !== "straggler") this.#checkCaps(task);
      const unfair = this.#fair?.granted(spec.project, spec.image?.steps ?? 0);
      if (unfair !== undefined) this.#fail("I12", unfair);
    }
  }

  #checkRival(key: string, task: LedgerTask): void {
    const factor = this.#pools.get(task.spec.pool)?.speculateAfter ?? 0;
    if (factor <= 0) this.#fail("I4", `${key} gets a second try and nobody wants that`);
    if (task.leases.length !== 1) this.#fail("I4", `${key} has ${task.leases.length} tries`);
  }

  /** What clients and operators want is obeyed from the moment it is known. */
  #checkWishes(key: string, { spec }: LedgerTask, worker: string): void {
    const control = this.#controls.get(`${spec.project}.${spec.job}`);
    if (control?.paused === true) this.#fail("I13", `${key} is granted and its job paused`);
    if (control === undefined && spec.priority?.isControlled === true) {
      this.#fail("I13", `${key} is granted before its control is known`);
    }
    const sample = control?.scheduling?.sampleTasks ?? 0;
    if (sample > 0 && spec.index >= sample && control?.approved !== true) {
      this.#fail("I13", `${key} is granted before the sample is approved`);
    }
    const policy = this.#workers.get(worker);
    if (policy?.draining === true) this.#fail("I13", `${worker} drains and gets ${key}`);
    if (policy?.lock !== undefined) this.#fail("I13", `${worker} is locked and gets ${key}`);
    const { quarantine } = policy ?? {};
    const asideUntil = quarantine?.endTime?.getTime() ?? Number.POSITIVE_INFINITY;
    if (quarantine !== undefined && asideUntil > this.#leader.now) {
      this.#fail("I13", `${worker} was put aside and gets ${key}`);
    }
    if (this.#pools.get(spec.pool)?.draining === true) {
      this.#fail("I13", `${spec.pool} drains and ${key} is granted`);
    }
  }

  #checkGranted(key: string, task: LedgerTask, attempt: number): void {
    const { now } = this.#leader;
    if (task.leases.length > 0) this.#fail("I4", `${key} has a lease already`);
    if (task.isEnding) this.#fail("I5", `${key} is granted while its outcome is published`);
    if (attempt > triesMax) this.#fail("I8", `attempt ${attempt} of ${key}`);
    if (now >= task.expiresAt) this.#fail("I10", `${key} is granted after its expire time`);
    const truth = this.#oracle.tasks.get(key);
    if (task.isOld && truth?.outcome !== undefined && truth.outcomeTerm < this.#term) {
      this.#fail("I5", `${key} is granted though it had ended before the term began`);
    }
    this.#oracle.checkUnheld(key);
    const listing = this.#listings.get(key);
    if (listing === undefined || this.#over.has(listing.fence)) return;
    // Superseded by a lease that is over by now.
    if (listing.fence < task.fenceMax) return;
    if (listing.at > now - 2 * limits.beatMs) {
      this.#fail("I4", `${key} is granted while ${listing.worker} is heard to run it`);
    }
  }

  #checkCaps(task: LedgerTask): void {
    const { project } = task.spec;
    const burst = this.#bursts.get(project) ?? 0;
    const running = this.#runningOfProject.get(project) ?? 0;
    if (burst > 0 && running > burst) this.#fail("I13", `${project} runs ${running} of ${burst}`);
    const job = `${project}.${task.spec.job}`;
    const bound = this.#controls.get(job)?.scheduling?.maxConcurrency ?? 0;
    const runningOfJob = this.#runningOfJob.get(job) ?? 0;
    if (bound > 0 && runningOfJob > bound)
      this.#fail("I13", `${job} runs ${runningOfJob} of ${bound}`);
  }

  #judgeRelease({ id, worker, reason }: EffectOf<"task-released">, event: SchedulerEvent): void {
    const key = taskKey(id);
    this.#oracle.mark(`release/${reason}`);
    const task = this.live.get(key);
    // A timer of the very step in which the outcome was heard.
    if (task === undefined) return;
    const lease = task.leases.find((each) => each.worker === worker);
    if (lease === undefined) this.#fail("I6", `${key} is released by ${worker}, who has it not`);
    if (reason === "lease-expired" && this.#leader.now < lease.confirmedAt + limits.leaseMs) {
      const silentMs = this.#leader.now - lease.confirmedAt;
      this.#fail("I4", `the lease of ${key} ended after ${silentMs} ms of silence`);
    }
    if (reason === "lease-dropped" || reason === "grant-lost") this.#checkDropped(key, lease);
    if (event.kind === "attempt-reported" && isByReport(reason)) {
      if (event.leased.fence !== lease.fence) {
        this.#fail("I4", `${key} is released by the report of fence ${event.leased.fence}`);
      }
    }
    this.#over.add(lease.fence);
    task.leases.splice(task.leases.indexOf(lease), 1);
    if (task.leases.length === 0) this.#countRunning(task, -1);
  }

  get #confirmed(): { confirmedAt: number; heldAt: number } {
    return { confirmedAt: this.#leader.now, heldAt: this.#oracle.kernel.now };
  }

  /** A worker that drew the task is not taken for one that lost it. */
  #checkDropped(key: string, { fence, worker, heldAt }: LedgerLease): void {
    const truth = this.#oracle.tasks.get(key);
    if (truth?.outcome?.fence !== fence || truth.isDoubtful) return;
    // A late create may store a task again that ended before this term: nobody tells that.
    if (truth.outcomeTerm < this.#term) return;
    const leftOutAt = this.#beats.get(worker)?.find((at) => at > heldAt) ?? 0;
    if (truth.outcomeAt <= leftOutAt) {
      this.#fail("I4", `${key} is taken for lost though its worker's outcome was stored before`);
    }
  }

  #judgeAdoption({ id, worker, fence }: EffectOf<"lease-adopted">): void {
    const key = taskKey(id);
    this.#oracle.mark("lease-adopted");
    const task = this.live.get(key);
    if (task === undefined) this.#fail("I7", `${key} is adopted and not live`);
    if (task.leases.length > 0) this.#fail("I4", `${key} is adopted though it is held`);
    // Given up too early, and alive after all: it may be reported yet.
    this.#over.delete(fence);
    if (task.isEnding) this.#fail("I5", `${key} is adopted while its outcome is published`);
    this.#hold(task, { worker, fence, ...this.#confirmed });
  }

  #judgeOutcome({ id, reason }: EffectOf<"publish-outcome">): void {
    const key = taskKey(id);
    this.#oracle.mark(`outcome/${reason}`);
    const task = this.live.get(key);
    if (task === undefined) return;
    if (task.isEnding) this.#fail("I5", `the outcome of ${key} is published twice`);
    if (task.leases.length > 0) this.#fail("I5", `${key} is ended while it is held`);
    if (reason === "expired" && this.#leader.now < task.expiresAt) {
      this.#fail("I10", `${key} expired too early`);
    }
    task.isEnding = true;
  }

  /** An attempt is judged once, however often it is reported. */
  #checkRepeat(key: string, event: SchedulerEvent): void {
    if (event.kind !== "attempt-reported" || !this.#isRepeated) return;
    if (taskKey(taskIdOf(event.leased)) !== key) return;
    this.#fail("I4", `fence ${event.leased.fence} of ${key} is judged twice`);
  }

  #hold(task: LedgerTask, lease: LedgerLease): void {
    task.leases.push(lease);
    if (lease.fence > task.fenceMax) task.fenceMax = lease.fence;
    if (task.leases.length === 1) this.#countRunning(task, 1);
  }

  #closeAsk(ask: number): { slots: number; worker: string } {
    const asked = this.#asks.get(ask);
    if (asked === undefined) this.#fail("I6", `request ${ask} is answered twice`);
    this.#asks.delete(ask);
    return asked;
  }

  #countRunning({ spec }: LedgerTask, by: number): void {
    this.#leased += by;
    add(this.#runningOfProject, spec.project, by);
    add(this.#runningOfJob, `${spec.project}.${spec.job}`, by);
  }

  #checkCounts(): void {
    let queued = 0;
    let leased = 0;
    for (const pool of this.#leader.scheduler.countPools()) {
      queued += pool.queued;
      leased += pool.leased;
      let waiting = 0;
      for (const tasks of pool.waiting.values()) waiting += tasks;
      if (waiting !== pool.queued) {
        this.#fail("I6", `${waiting} of ${pool.queued} waiting tasks have a reason`);
      }
    }
    if (leased !== this.#leased || queued + leased !== this.live.size) {
      const books = `${this.#leased} of ${this.live.size}`;
      this.#fail("I6", `the core counts ${leased} of ${queued + leased} leased, it is ${books}`);
    }
  }

  #fail(invariant: string, detail: string): never {
    this.#oracle.violate(invariant, `epoch ${this.#leader.epoch}: ${detail}`);
  }
}

function isByReport(reason: EffectOf<"task-released">["reason"]): boolean {
  return reason === "attempt-failed" || reason === "handed-back";
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
