/**
 * The one place where events meet the core: gives each the time, and passes what the core decides
 * to the record and to the writer, in order. Once the term has ended it does nothing at all.
 */
import type { Broker, LeaderTerm } from "@zfarm/broker";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock, Log, Tracing } from "@zfarm/runtime";
import type { AutoscaleLoop } from "./autoscale/autoscale-loop.ts";
import type { BeatEars } from "./beat-ears.ts";
import { Scheduler } from "./domain/scheduler.ts";
import type { SchedulerEffect } from "./domain/scheduler-effect.ts";
import type { SchedulerEvent } from "./domain/scheduler-event.ts";
import type { StoreKeeper } from "./keep-store.ts";
import type { LostOutcomes } from "./lost-outcomes.ts";
import { type SchedulerMetrics, showFarm } from "./metrics.ts";
import { recordEffect } from "./record-effect.ts";
import { TaskTraces } from "./task-traces.ts";
import { TermWriter } from "./term-writer.ts";

export interface TermNeeds {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
  readonly tracing: Tracing;
  readonly ears: BeatEars;
  /** Undefined where outcomes have no copies. */
  readonly lost?: Pick<LostOutcomes, "standing" | "restoreAll">;
  /** Undefined where this process has no object store. */
  readonly store?: Pick<StoreKeeper, "run">;
  /** Undefined where no leader sees the whole farm. */
  readonly autoscaler?: Pick<AutoscaleLoop, "run" | "report">;
}

export class Decider {
  readonly needs: TermNeeds;
  readonly epoch: bigint;
  readonly scheduler: Scheduler;
  readonly writer: TermWriter;
  /** Aborts when the term is over for whatever reason: no event is looked at after this. */
  readonly ended: AbortSignal;
  /** Aborts when nothing may be written any more: lost or failed, while a stop lets writes end. */
  readonly over: AbortSignal;
  readonly #failed = new AbortController();
  readonly #term: LeaderTerm;
  /** Wall time at monotonic zero: within a term time only goes forward. */
  readonly #anchorMs: number;
  #decidedAtMs: number;
  /** Up to which time the core may grant, as it was told. */
  #grantsUntilMs = Number.NEGATIVE_INFINITY;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  /** The rebuild has just removed what had ended. */
  #tidiedAtMs: number;
  #napping = { until: Number.NEGATIVE_INFINITY, alarm: new AbortController() };

  constructor(needs: TermNeeds, term: LeaderTerm, stop: AbortSignal) {
    const { broker, clock, metrics, tracing } = needs;
    this.needs = needs;
    this.#term = term;
    this.epoch = term.epoch;
    this.scheduler = new Scheduler(term.epoch);
    this.ended = AbortSignal.any([stop, term.lost, this.#failed.signal]);
    this.over = AbortSignal.any([term.lost, this.#failed.signal]);
    this.#anchorMs = clock.now() - clock.monotonic();
    this.#decidedAtMs = clock.monotonic();
    this.#tidiedAtMs = this.#decidedAtMs;
    this.writer = new TermWriter({
      broker,
      clock,
      metrics,
      traces: new TaskTraces(tracing, clock),
      epoch: term.epoch,
      over: this.over,
      decide: (event) => this.decide(event),
      fail: (error) => this.fail(error),
    });
  }

  /** Ends the term with an error; only the first one counts. */
  fail(error: unknown): void {
    this.#failed.abort(error);
  }

  throwIfFailed(): void {
    this.#failed.signal.throwIfAborted();
  }

  decide(event: SchedulerEvent): void {
    this.decideAll([event]);
  }

  /** Events that came together: tasks that wait side by side are granted together. */
  decideAll(events: readonly SchedulerEvent[]): void {
    for (let next = 0; next < events.length; next += limits.eventsTogetherMax) {
      if (this.ended.aborted || this.#hasFrozen()) return;
      this.#tellBound();
      this.#step(events.slice(next, next + limits.eventsTogetherMax), this.#decidedAtMs);
    }
  }

  /** What was heard of workers before this term, since the leader before granted its last. */
  recall(): void {
    const { ears, clock } = this.needs;
    const from = Math.min(clock.monotonic(), Math.max(ears.since, this.#term.quietSince));
    this.#step([{ kind: "listening" }], from);
    for (const { beat, heardAt } of ears.heardFrom(from)) this.#step([beat], heardAt);
  }

  #step(events: readonly SchedulerEvent[], atMs: number): void {
    try {
      const { clock, metrics } = this.needs;
      const begunMs = clock.monotonic();
      const effects = this.scheduler.stepAll(events, this.#anchorMs + atMs);
      metrics.stepSeconds.observe((clock.monotonic() - begunMs) / 1_000);
      if (effects.length === 0) return this.#wakeInTime();
      for (const effect of effects) this.writer.apply(effect);
      this.#checkEpoch(effects);
      this.#wakeInTime();
      setImmediate(() => this.#record(effects));
    } catch (error) {
      // The index is wrong or a message cannot be sent: this term cannot go on.
      this.fail(error);
    }
  }

  /** The last part of the lease is for the next leader's ears. */
  #tellBound(): void {
    const untilMs = this.#term.grantsUntil;
    if (untilMs === this.#grantsUntilMs) return;
    this.#grantsUntilMs = untilMs;
    const grantsUntil = this.#anchorMs + untilMs;
    this.#step([{ kind: "lease-renewed", grantsUntil }], this.#decidedAtMs);
  }

  /**
   * Behind what is sent in this turn of the event loop: somebody waits for a grant, and writing its
   * log line can take longer than the way to the worker.
   */
  #record(effects: readonly SchedulerEffect[]): void {
    for (const effect of effects) recordEffect(effect, this.needs);
  }

  /** Passes time until the term ends, and shows the farm in the gauges now and then. */
  async tick(): Promise<void> {
    const { metrics } = this.needs;
    while (!this.ended.aborted) {
      await this.#nap();
      this.decide({ kind: "tick" });
      if (this.ended.aborted || this.#decidedAtMs < this.#shownAtMs + limits.positionEveryMs)
        continue;
      this.#shownAtMs = this.#decidedAtMs;
      this.#tidyNowAndThen();
      const pools = this.scheduler.measurePools();
      const tables = this.scheduler.countTables();
      showFarm(metrics, { pools, workers: this.scheduler.countWorkers(), tables });
    }
  }

  #tidyNowAndThen(): void {
    if (this.#decidedAtMs < this.#tidiedAtMs + limits.queueTidyMs) return;
    this.#tidiedAtMs = this.#decidedAtMs;
    for (const ids of this.writer.outlivedBundles()) this.decide({ kind: "bundle-outlived", ids });
    this.writer.tidy();
  }

  /**
   * A worker that obeys a newer leader will never obey this one: it was deposed and not told yet,
   * or the lease went back with a broker that lost its newest writes. The next term's epoch is
   * larger, so standing again and again heals both.
   */
  #checkEpoch(effects: readonly SchedulerEffect[]): void {
    const isOutgrown = effects.some(({ reason }) => reason === "newer-leader");
    if (isOutgrown) this.fail(new FarmError("NO_LEADER", "a worker obeys a newer leader"));
  }

  /** Until the next tick, or shorter where the core waits for a time before it. */
  async #nap(): Promise<void> {
    const { clock } = this.needs;
    const alarm = new AbortController();
    const now = this.#anchorMs + clock.monotonic();
    const wakesAt = this.scheduler.wakesAt ?? Number.POSITIVE_INFINITY;
    const ms = Math.min(limits.schedulerTickMs, Math.max(1, Math.ceil(wakesAt - now)));
    this.#napping = { until: now + ms, alarm };
    await clock.sleep(ms, AbortSignal.any([this.ended, alarm.signal]));
  }

  /** A step may have set a time that is before the end of the nap: a batch is forming. */
  #wakeInTime(): void {
    const { wakesAt } = this.scheduler;
    if (wakesAt !== undefined && wakesAt < this.#napping.until - 1) this.#napping.alarm.abort();
  }

  /**
   * A process that stood still for longer than its leadership lasts has lost it, even if it has
   * not been told. Its clock jumped over every lease, so it must not judge workers by it.
   */
  #hasFrozen(): boolean {
    const now = this.needs.clock.monotonic();
    const stoodStillMs = now - this.#decidedAtMs;
    this.#decidedAtMs = now;
    if (stoodStillMs < limits.leaderLeaseMs) return false;
    this.fail(new FarmError("BROKER_UNAVAILABLE", `the leader stood still ${stoodStillMs} ms`));
    return true;
  }
}
