/**
 * A simple model of the farm around the core: workers that keep or forget leases, a broker that
 * applies writes late. It checks after every step what must always hold.
 */
import assert from "node:assert/strict";
import {
  FailureBlame,
  type JobId,
  type Lease,
  limits,
  type Outcome,
  OutcomeKind,
  type PriorityClass,
  type ProjectId,
  type QueuedTask,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import type { Grant, SchedulerEffect } from "../src/domain/scheduler-effect.ts";
import {
  adapter,
  buildFailure,
  buildTask,
  CoreDriver,
  listed,
  shelfOf,
  type TaskOptions,
} from "./drive-core.ts";
import { FarmWishes, type WishMove } from "./farm-wishes.ts";

/** What makes a task other than plain. */
export interface TaskStyle {
  readonly job: number;
  readonly priorityClass: PriorityClass;
  readonly priority: number;
  readonly deadlineIn: number | undefined;
  /** Which adapters it needs. */
  readonly adapters: readonly number[];
}

export type Move =
  | WishMove
  | {
      readonly kind: "store";
      readonly index: number;
      readonly project: number;
      readonly wide: boolean;
      readonly expireIn: number | undefined;
      readonly style?: TaskStyle | undefined;
    }
  | {
      readonly kind: "ask";
      readonly worker: number;
      readonly slots: number;
      /** Whether the worker has heard of this leader. */
      readonly knows: boolean;
      /** The adapters it has; absent for a worker that takes none. */
      readonly shelf?: readonly number[] | undefined;
    }
  /** A heartbeat that lists the leases whose bit is set. */
  | { readonly kind: "beat"; readonly worker: number; readonly mask: number }
  | { readonly kind: "report"; readonly pick: number; readonly fault: number }
  | { readonly kind: "end"; readonly pick: number; readonly outcome: Outcome["kind"] }
  | { readonly kind: "apply"; readonly conflict: boolean }
  | { readonly kind: "read"; readonly count: number; readonly unread: number }
  | { readonly kind: "wait"; readonly ms: number };

const faults = [
  undefined,
  buildFailure("BAD_NUMBERS", FailureBlame.TASK),
  buildFailure("STORE_UNAVAILABLE", FailureBlame.SHARED),
  buildFailure("DISK_FULL", FailureBlame.WORKER),
  buildFailure("ENGINE_CRASHED", FailureBlame.WORKER),
  buildFailure("PROMPT_TOO_LONG", FailureBlame.TASK),
];

interface ModelTask {
  readonly key: string;
  readonly task: QueuedTask;
  /** Order of storing; a message that was written anew has lost its place. */
  order: number | undefined;
  grants: number;
  isEnding: boolean;
  crashes: number;
  /** Workers that hold it, by fence: one, or two where a second try was begun. */
  readonly held: Map<bigint, string>;
}

/** Ranks that the adapters of one batch may sum up to. */
const rankBudget = 32;

export class FarmModel {
  readonly core = CoreDriver.leading();
  readonly wishes = new FarmWishes(this.core);
  readonly live = new Map<string, ModelTask>();
  readonly ended = new Set<string>();
  /** Every lease a worker was ever given and may still claim. */
  readonly claims: { readonly worker: number; readonly lease: Lease }[] = [];
  /** Every effect so far. */
  readonly trace: SchedulerEffect[] = [];
  readonly #writes: SchedulerEffect[] = [];
  readonly #asks = new Map<number, number>();
  readonly #firstGrants = new Map<string, number>();
  #fence = 0n;
  #stored = 0;
  #asked = 0;
  /** As long as nothing but tasks came, those of one shape and project start in order. */
  #isPlain = true;
  #steps = 0;

  play(move: Move): void {
    this.#check(this.#act(move));
  }

  /** Applies the oldest write that the core asked for. */
  applyWrite(conflict: boolean): readonly SchedulerEffect[] {
    const write = this.#writes.shift();
    if (write?.kind === "publish-outcome") {
      const { spec, kind } = write.outcome;
      return spec === undefined ? [] : this.#end({ spec, attempts: 0 }, kind);
    }
    if (write?.kind !== "rewrite-task") return [];
    const { id, revision } = write;
    const next = conflict ? undefined : revision + 100_000n;
    return this.core.step({ kind: "task-rewritten", id, revision: next });
  }

  /** Honest workers and a working broker: everything that is live must end. */
  heal(): void {
    this.#check(this.wishes.lift());
    for (let round = 0; this.live.size > 0; round += 1) {
      assert.ok(round < 2_000, "every live task ends");
      const shelf = this.#isPlain ? undefined : [];
      this.play({ kind: "ask", worker: 99, slots: 8, knows: true, shelf });
      for (const { held, task } of this.live.values()) {
        if ([...held.values()].includes("w99")) this.#check(this.#end(task, OutcomeKind.SUCCEEDED));
      }
      this.play({ kind: "apply", conflict: false });
      this.play({ kind: "wait", ms: 1_000 });
    }
  }

  /** Long after everything ended: what the leader still remembers. */
  remembered(): Record<string, number> {
    for (let hours = 0; hours < 3; hours += 1) this.core.wait(3_600_000);
    const { controls, projects, ...tables } = this.core.scheduler.countTables();
    assert.ok(controls >= 0 && projects <= this.wishes.policies, "only what is wanted stays");
    return Object.fromEntries(Object.entries(tables).filter(([, entries]) => entries > 0));
  }

  #act(move: Move): readonly SchedulerEffect[] {
    switch (move.kind) {
      case "control":
      case "project":
      case "pool":
      case "worker":
      case "retire":
        this.#isPlain = false;
        return this.wishes.wish(move);
      case "store":
        return this.#store(move);
      case "ask":
        this.#asked += 1;
        this.#asks.set(this.#asked, move.worker);
        return this.core.ask(`w${move.worker}`, {
          slots: move.slots,
          epochSeen: move.knows ? 1n : 0n,
          ...(move.shelf && { shelf: shelfOf(move.shelf.map(String), 2, rankBudget) }),
        });
      case "beat": {
        const claimed = this.claims.filter(({ worker }) => worker === move.worker);
        const running = claimed.filter((_, index) => (move.mask >> (index % 16)) & 1);
        return this.core.beat(
          `w${move.worker}`,
          running.map(({ lease }) => listed(lease)),
        );
      }
      case "report": {
        const claim = pick(this.claims, move.pick);
        if (claim === undefined) return [];
        const fault = faults[move.fault % faults.length];
        return this.core.report(`w${claim.worker}`, claim.lease, fault);
      }
      case "end": {
        const held = pick([...this.live.values()], move.pick);
        return held === undefined ? [] : this.#end(held.task, move.outcome);
      }
      case "apply":
        return this.applyWrite(move.conflict);
      case "read":
        return this.core.step({ ...move, kind: "outcomes-read" });
      case "wait":
        return this.core.wait(move.ms);
    }
  }

  #store(move: Extract<Move, { kind: "store" }>): readonly SchedulerEffect[] {
    const task = buildTask(move.index, {
      project: `p${move.project}`,
      width: move.wide ? 128 : 64,
      ...this.#optionsOf(move.style),
      ...(move.expireIn === undefined ? {} : { expireAt: this.core.now + move.expireIn }),
    });
    const key = keyOf(task);
    this.#stored += 1;
    if (!this.live.has(key) && !this.ended.has(key)) {
      const order = this.#stored;
      const fresh = { grants: 0, isEnding: false, crashes: 0, held: new Map() };
      this.live.set(key, { key, task, order, ...fresh });
    } else {
      const known = this.live.get(key);
      if (known !== undefined) known.order = undefined;
    }
    return this.core.store(task);
  }

  #optionsOf(style: TaskStyle | undefined): TaskOptions {
    if (style === undefined) return {};
    this.#isPlain = false;
    const { job, priorityClass, priority, deadlineIn, adapters } = style;
    return {
      job: `j${job}`,
      priorityClass,
      priority,
      adapters: adapters.map((digest) => adapter(String(digest))),
      ...(deadlineIn !== undefined && { deadlineAt: this.core.now + deadlineIn }),
    };
  }

  #end(task: QueuedTask, kind: Outcome["kind"]): readonly SchedulerEffect[] {
    const key = keyOf(task);
    this.live.delete(key);
    this.ended.add(key);
    return this.core.end(task, kind);
  }

  #check(effects: readonly SchedulerEffect[]): void {
    this.trace.push(...effects);
    for (const effect of effects) this.#checkEffect(effect);
    const counts = this.core.scheduler.countPools();
    const queued = counts.reduce((sum, pool) => sum + pool.queued, 0);
    const leased = counts.reduce((sum, pool) => sum + pool.leased, 0);
    const held = [...this.live.values()].filter((task) => task.held.size > 0).length;
    assert.deepEqual({ live: queued + leased, leased }, { live: this.live.size, leased: held });
    this.#steps += 1;
    // Every few steps, since it looks at every task.
    if (this.#steps % 4 === 0) this.#checkReasons();
  }

  /** Every waiting task is counted under the reason that explains it. */
  #checkReasons(): void {
    const counted = new Map(this.core.waiting());
    const waiting = this.core.scheduler.countPools()[0]?.queued ?? 0;
    assert.equal(
      [...counted.values()].reduce((sum, tasks) => sum + tasks, 0),
      waiting,
    );
    const jobs = new Map(
      [...this.live.values()].flatMap(({ task: { spec } }) =>
        spec === undefined ? [] : [[`${spec.project} ${spec.job}`, spec] as const],
      ),
    );
    const explained = new Map<number, number>();
    for (const { project, job } of jobs.values()) {
      const ref = { project: project as ProjectId, job: job as JobId };
      for (const { reason, tasks } of this.core.scheduler.explain(ref)) {
        explained.set(reason, (explained.get(reason) ?? 0) + tasks);
      }
    }
    assert.deepEqual([...counted].toSorted(byReason), [...explained].toSorted(byReason));
  }

  #checkEffect(effect: SchedulerEffect): void {
    if (effect.kind === "grant") this.#checkGrant(effect);
    if (effect.kind === "publish-outcome" || effect.kind === "rewrite-task") {
      this.#writes.push(effect);
    }
    if (effect.kind === "publish-outcome") {
      const held = this.live.get(taskKey(effect.id));
      assert.equal(held?.isEnding, false, "an outcome is asked for once");
      if (held !== undefined) held.isEnding = true;
    }
    if (effect.kind === "rewrite-task") {
      const task = this.live.get(taskKey(effect.id));
      if (task !== undefined) task.crashes = effect.task.crashes?.count ?? 0;
    }
    if (effect.kind === "task-released") this.#release(effect);
    if (effect.kind === "lease-adopted") {
      const task = this.live.get(taskKey(effect.id));
      assert.equal(task?.held.size, 0, "one lease at a time");
      task?.held.set(effect.fence, effect.worker);
    }
  }

  #release({ id, worker }: Extract<SchedulerEffect, { kind: "task-released" }>): void {
    const task = this.live.get(taskKey(id));
    if (task === undefined) return;
    assert.ok(!task.isEnding, "an ending task has no lease");
    const [fence] = [...task.held].find(([, holder]) => holder === worker) ?? [];
    assert.ok(fence !== undefined, "only a lease is released");
    task.held.delete(fence);
  }

  #checkGrant(grant: Grant): void {
    const shapes = new Set(grant.leases.map((lease) => lease.spec?.image?.width));
    assert.equal(shapes.size, 1, "a grant has one shape");
    assert.ok(grant.leases.length <= limits.batchTasksMax, "a grant is one batch");
    assert.ok(grant.leases.length > 0, "a grant has tasks");
    const worker = this.#asks.get(grant.ask) ?? -1;
    assert.ok(this.#asks.delete(grant.ask), "a request is answered once");
    this.wishes.checkGrant(grant);
    this.#checkAlone(grant);
    for (const lease of grant.leases) this.#checkLease(grant, lease, worker);
    const stacks = grant.leases.map(({ spec }) => spec?.stack?.adapters ?? []);
    const ranks = new Map(stacks.map((stack) => [stack.map(({ digest }) => digest).join(), stack]));
    const sum = [...ranks.values()].flat().reduce((ranksSoFar, { rank }) => ranksSoFar + rank, 0);
    assert.ok(sum <= rankBudget, "the stacks of a batch fit the worker");
  }

  /** A suspected task shares a worker with nothing. */
  #checkAlone({ worker, leases }: Grant): void {
    const granted = leases.flatMap(({ spec }) => {
      const task = spec && this.live.get(taskKey(taskIdOf(spec)));
      return task === undefined ? [] : [task];
    });
    const beside = [...this.live.values()].filter(({ held }) =>
      [...held.values()].includes(worker),
    );
    const all = [...granted, ...beside];
    const suspects = granted.filter(({ crashes }) => crashes > 0).length;
    assert.ok(suspects === 0 || all.length === 1, "a suspected task runs alone");
  }

  #checkLease(grant: Grant, lease: Lease, worker: number): void {
    const { spec } = lease;
    const held = spec && this.live.get(taskKey(taskIdOf(spec)));
    assert.ok(spec !== undefined && held !== undefined, "only a live task is granted");
    const isSecond = grant.reason === "straggler";
    assert.equal(held.held.size, isSecond ? 1 : 0, "one lease, or a second one of a straggler");
    assert.ok(![...held.held.values()].includes(grant.worker), "a second try is elsewhere");
    assert.ok(!held.isEnding, "an ending task is never granted");
    assert.ok(lease.fence > this.#fence, "fences grow");
    const attemptsMax = limits.attemptsMax + limits.taskCrashesMax - 1;
    assert.ok(lease.attempt <= attemptsMax, "attempts are bounded");
    const expireAt = spec.expireTime?.getTime() ?? Number.POSITIVE_INFINITY;
    assert.ok(this.core.now < expireAt, "no lease after the expire time");
    if (held.grants === 0) this.#checkOrder(held);
    held.held.set(lease.fence, grant.worker);
    this.wishes.checkStart(spec, {
      ofJob: (project, job) =>
        this.#countHeld((each) => each.project === project && each.job === job),
      ofProject: (project) => this.#countHeld((each) => each.project === project),
    });
    held.grants += 1;
    const bound = 2 * (attemptsMax + limits.handBacksMax + limits.grantsLostMax + 1);
    assert.ok(held.grants <= bound, "grants of one task are bounded");
    this.#fence = lease.fence;
    this.claims.push({ worker, lease });
  }

  #countHeld(isMeant: (spec: { project: string; job: string }) => boolean): number {
    const running = [...this.live.values()].filter(({ held }) => held.size > 0);
    return running.filter(({ task: { spec } }) => spec !== undefined && isMeant(spec)).length;
  }

  #checkOrder(held: ModelTask): void {
    if (held.order === undefined || !this.#isPlain) return;
    const { project, image } = held.task.spec ?? {};
    const line = `${project} ${image?.width}`;
    const last = this.#firstGrants.get(line) ?? 0;
    assert.ok(held.order > last, "first grants are in order");
    this.#firstGrants.set(line, held.order);
  }
}

function keyOf(task: QueuedTask): string {
  if (task.spec === undefined) throw new RangeError("a task without spec");
  return taskKey(taskIdOf(task.spec));
}

function pick<T>(items: readonly T[], at: number): T | undefined {
  return items.length === 0 ? undefined : items[at % items.length];
}

function byReason([one]: readonly [number, number], [other]: readonly [number, number]): number {
  return one - other;
}
