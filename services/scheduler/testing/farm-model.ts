/**
 * A simple model of the farm around the core: workers that keep or forget leases, a broker that
 * applies writes late. It checks after every step what must always hold.
 */
import assert from "node:assert/strict";
import {
  FailureBlame,
  type Lease,
  limits,
  type Outcome,
  OutcomeKind,
  type QueuedTask,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import type { Grant, SchedulerEffect } from "../src/domain/scheduler-effect.ts";
import { buildFailure, buildTask, CoreDriver, listed } from "./drive-core.ts";

export type Move =
  | {
      readonly kind: "store";
      readonly index: number;
      readonly project: number;
      readonly wide: boolean;
      readonly expireIn: number | undefined;
    }
  | {
      readonly kind: "ask";
      readonly worker: number;
      readonly slots: number;
      /** Whether the worker has heard of this leader. */
      readonly knows: boolean;
    }
  /** A heartbeat that lists the leases whose bit is set. */
  | { readonly kind: "beat"; readonly worker: number; readonly mask: number }
  | { readonly kind: "report"; readonly pick: number; readonly fault: number }
  | { readonly kind: "end"; readonly pick: number; readonly outcome: Outcome["kind"] }
  | { readonly kind: "apply"; readonly conflict: boolean }
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
  heldFence: bigint | undefined;
}

export class FarmModel {
  readonly core = CoreDriver.leading();
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
    for (let round = 0; this.live.size > 0; round += 1) {
      assert.ok(round < 2_000, "every live task ends");
      this.play({ kind: "ask", worker: 99, slots: 8, knows: true });
      for (const held of this.live.values()) {
        const claim = this.claims.find(({ lease }) => lease.fence === held.heldFence);
        if (claim?.worker === 99) this.#check(this.#end(held.task, OutcomeKind.SUCCEEDED));
      }
      this.play({ kind: "apply", conflict: false });
      this.play({ kind: "wait", ms: 1_000 });
    }
  }

  #act(move: Move): readonly SchedulerEffect[] {
    switch (move.kind) {
      case "store":
        return this.#store(move);
      case "ask":
        this.#asked += 1;
        this.#asks.set(this.#asked, move.worker);
        return this.core.ask(`w${move.worker}`, {
          slots: move.slots,
          epochSeen: move.knows ? 1n : 0n,
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
      case "wait":
        return this.core.wait(move.ms);
    }
  }

  #store(move: Extract<Move, { kind: "store" }>): readonly SchedulerEffect[] {
    const task = buildTask(move.index, {
      project: `p${move.project}`,
      width: move.wide ? 128 : 64,
      ...(move.expireIn === undefined ? {} : { expireAt: this.core.now + move.expireIn }),
    });
    const key = keyOf(task);
    this.#stored += 1;
    if (!this.live.has(key) && !this.ended.has(key)) {
      const order = this.#stored;
      this.live.set(key, { key, task, order, grants: 0, isEnding: false, heldFence: undefined });
    } else {
      const known = this.live.get(key);
      if (known !== undefined) known.order = undefined;
    }
    return this.core.store(task);
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
    const held = [...this.live.values()].filter((task) => task.heldFence !== undefined).length;
    assert.deepEqual({ live: queued + leased, leased }, { live: this.live.size, leased: held });
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
    if (effect.kind === "task-released" || effect.kind === "lease-adopted") {
      const held = this.live.get(taskKey(effect.id));
      if (held === undefined) return;
      const isAdopted = effect.kind === "lease-adopted";
      assert.equal(held.heldFence === undefined, isAdopted, "one lease at a time");
      assert.ok(!held.isEnding, "an ending task has no lease");
      held.heldFence = isAdopted ? effect.fence : undefined;
    }
  }

  #checkGrant(grant: Grant): void {
    const shapes = new Set(grant.leases.map((lease) => lease.spec?.image?.width));
    assert.equal(shapes.size, 1, "a grant has one shape");
    assert.ok(grant.leases.length <= limits.batchTasksMax, "a grant is one batch");
    const worker = this.#asks.get(grant.ask) ?? -1;
    assert.ok(this.#asks.delete(grant.ask), "a request is answered once");
    for (const lease of grant.leases) this.#checkLease(lease, worker);
  }

  #checkLease(lease: Lease, worker: number): void {
    const { spec } = lease;
    const held = spec && this.live.get(taskKey(taskIdOf(spec)));
    assert.ok(spec !== undefined && held !== undefined, "only a live task is granted");
    assert.equal(held.heldFence, undefined, "one lease at a time");
    assert.ok(!held.isEnding, "an ending task is never granted");
    assert.ok(lease.fence > this.#fence, "fences grow");
    const attemptsMax = limits.attemptsMax + limits.taskCrashesMax - 1;
    assert.ok(lease.attempt <= attemptsMax, "attempts are bounded");
    const expireAt = spec.expireTime?.getTime() ?? Number.POSITIVE_INFINITY;
    assert.ok(this.core.now < expireAt, "no lease after the expire time");
    if (held.grants === 0) this.#checkOrder(held);
    held.grants += 1;
    const bound = attemptsMax + limits.handBacksMax + 1;
    assert.ok(held.grants <= bound, "grants of one task are bounded");
    held.heldFence = lease.fence;
    this.#fence = lease.fence;
    this.claims.push({ worker, lease });
  }

  #checkOrder(held: ModelTask): void {
    if (held.order === undefined) return;
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
