/**
 * Looks, decides and acts every few seconds of a leader's term: the brain's plan for every pool,
 * through whatever hands there are. Trouble of the hands costs ticks and never the term.
 */
import { FarmError, limits, type PoolId, type ScalingReply } from "@zfarm/contract";
import type { Decider, TermNeeds } from "../decider.ts";
import { Autoscaler, type PoolSight } from "../domain/autoscale/autoscaler.ts";
import type { PoolDecision } from "../domain/autoscale/decision.ts";
import { defaultGoals, type PoolGoals } from "../domain/autoscale/pool-goals.ts";
import type { PoolWork } from "../domain/autoscale/pool-work.ts";
import type { WorkersRetired } from "../domain/retire-rules.ts";
import type { Actuator, PoolFleet, ScalingResult } from "./actuator.ts";
import { type AutoscaleMetrics, hideScaling } from "./autoscale-metrics.ts";
import type { AutoscalerConfig } from "./autoscaler-config.ts";
import { PoolHands, type PoolOrders } from "./pool-hands.ts";
import {
  countScaling,
  describeScaling,
  logScaling,
  type ScalingRecord,
  showColdStarts,
} from "./record-scaling.ts";

export interface AutoscaleNeeds {
  readonly config: AutoscalerConfig;
  readonly actuator: Actuator;
  readonly metrics: AutoscaleMetrics;
}

/** What the loop needs of a term. */
export interface AutoscaleTerm extends Pick<Decider, "ended" | "scheduler" | "decide"> {
  readonly needs: Pick<TermNeeds, "clock" | "log">;
}

/** Lives as long as the process; each term begins with a brain that knows nothing. */
export class AutoscaleLoop {
  readonly #needs: AutoscaleNeeds;
  #records = new Map<PoolId, ScalingRecord>();

  constructor(needs: AutoscaleNeeds) {
    this.#needs = needs;
  }

  /** The last decision for each pool of the term that runs. */
  report(): ScalingReply {
    const records = [...this.#records.values()].map(describeScaling);
    const pools = records.toSorted((one, other) => (one.pool < other.pool ? -1 : 1));
    return { actuator: this.#needs.actuator.name, pools };
  }

  /** Runs from when the leader serves until its term ends. */
  async run(term: AutoscaleTerm): Promise<void> {
    const ticker = new Ticker(this.#needs, term);
    const { clock } = term.needs;
    try {
      while (!term.ended.aborted) {
        this.#records = await ticker.tick(this.#records);
        await clock.sleep(this.#needs.config.tickMs, term.ended);
      }
    } finally {
      this.#records = new Map();
      hideScaling(this.#needs.metrics);
      this.#needs.actuator.rest?.();
    }
  }
}

/** The ticks of one term. */
class Ticker {
  readonly #needs: AutoscaleNeeds;
  readonly #term: AutoscaleTerm;
  readonly #brain: Autoscaler;
  readonly #hands = new Map<PoolId, PoolHands>();
  /** Wall time at monotonic zero: creation times are of the wall, and time must not go back. */
  readonly #anchorMs: number;

  constructor(needs: AutoscaleNeeds, term: AutoscaleTerm) {
    this.#needs = needs;
    this.#term = term;
    this.#brain = new Autoscaler(needs.config);
    const { clock } = term.needs;
    this.#anchorMs = clock.now() - clock.monotonic();
  }

  async tick(before: ReadonlyMap<PoolId, ScalingRecord>): Promise<Map<PoolId, ScalingRecord>> {
    const { ended, needs } = this.#term;
    const seen = await this.#observe();
    if (ended.aborted) return new Map(before);
    // From here to the orders nothing waits: who is idle now gets nothing in between.
    const now = this.#anchorMs + needs.clock.monotonic();
    const sights = this.#pools().map((pool) => this.#sight(pool, seen));
    const decisions = this.#brain.plan(sights, now);
    const orders = decisions.map((decision, place) => this.#order(decision, sights[place], now));
    const records = new Map<PoolId, ScalingRecord>();
    for (const [place, decision] of decisions.entries()) {
      const order = orders[place];
      const result = order === undefined ? undefined : await this.#apply(order, now);
      const last = before.get(decision.pool);
      const isTaken = result === "applied" || result === "unchanged";
      const askedFor = isTaken ? order?.scaling.desired : last?.askedFor;
      const retiring = order?.retiring ?? 0;
      const record = { decision, decidedAt: now, retiring, result, askedFor };
      this.#record(record, last);
      records.set(decision.pool, record);
    }
    return records;
  }

  /** Undefined where the hands cannot tell. */
  async #observe(): Promise<ReadonlyMap<PoolId, PoolFleet> | undefined> {
    const { actuator, metrics } = this.#needs;
    const { ended, needs } = this.#term;
    try {
      const fleets = await actuator.observe(ended);
      return new Map(fleets.map((fleet) => [fleet.pool, fleet]));
    } catch (error) {
      if (ended.aborted) return undefined;
      if (!(error instanceof FarmError)) throw error;
      metrics.observeFailures.inc();
      needs.log.warn({ error }, "workers of the pools cannot be seen");
      return undefined;
    }
  }

  /** Without hands every pool that the leader knows of gets advice. */
  #pools(): PoolId[] {
    const { config, actuator } = this.#needs;
    const named = [...config.pools.keys()];
    if (actuator.name !== "none") return named;
    return [...new Set([...named, ...this.#term.scheduler.pools()])];
  }

  #sight(pool: PoolId, seen: ReadonlyMap<PoolId, PoolFleet> | undefined): PoolSight {
    const { config, actuator } = this.#needs;
    const members = seen?.get(pool);
    if (members !== undefined) this.#retire(this.#handsOf(pool).forgetGone(members));
    const work = this.#term.scheduler.measureWork(pool);
    const goals = config.pools.get(pool)?.goals ?? adviceGoals;
    const fleet = actuator.name === "none" ? heardFleet(work) : members;
    return { goals, work, fleet };
  }

  /** Undefined where nothing may be done. */
  #order(
    decision: PoolDecision,
    sight: PoolSight | undefined,
    now: number,
  ): PoolOrders | undefined {
    const { actuator } = this.#needs;
    if (sight?.fleet === undefined || actuator.name === "none") return undefined;
    const { pool } = decision;
    const { scheduler } = this.#term;
    const { fleet, work } = sight;
    const ranked = (): PoolOrders["missed"] =>
      scheduler.rankVictims(pool, work.workers.length).map(({ candidate }) => candidate.id);
    const orders = this.#handsOf(pool).order({ decision, fleet, work, rank: ranked, now });
    this.#retire(orders.retired);
    return orders;
  }

  #retire(retired: WorkersRetired): void {
    const { retire, recall, gone } = retired;
    if (retire.length + recall.length + gone.length > 0) this.#term.decide(retired);
  }

  async #apply({ scaling, missed }: PoolOrders, now: number): Promise<ScalingResult | undefined> {
    const { actuator, metrics } = this.#needs;
    const { ended, needs } = this.#term;
    const { pool } = scaling;
    for (const worker of missed) {
      metrics.victimsMissed.inc({ pool });
      needs.log.warn({ pool, worker_id: worker }, "worker chosen to go is still there");
    }
    if (ended.aborted) return undefined;
    try {
      const result = await actuator.apply(scaling, ended);
      if (result === "applied") this.#handsOf(pool).applied(scaling, now);
      return result;
    } catch (error) {
      if (ended.aborted) return undefined;
      if (!(error instanceof FarmError)) throw error;
      needs.log.warn({ error, pool }, "workers of a pool cannot be changed");
      return "failed";
    }
  }

  #record(record: ScalingRecord, before: ScalingRecord | undefined): void {
    const { metrics } = this.#needs;
    const { pool } = record.decision;
    logScaling(this.#term.needs.log, record, before);
    countScaling(metrics, record);
    showColdStarts(metrics, pool, this.#brain.memoryOf(pool).coldStarts);
  }

  #handsOf(pool: PoolId): PoolHands {
    let hands = this.#hands.get(pool);
    if (hands === undefined) {
      hands = new PoolHands();
      this.#hands.set(pool, hands);
    }
    return hands;
  }
}

/** A pool that no file speaks of is only advised, and nobody has said how large it may be. */
const adviceGoals: PoolGoals = { ...defaultGoals, max: limits.workersMax };

/** Where nobody else can say, the workers that are heard are those there are. */
function heardFleet({ pool, workers }: PoolWork): PoolFleet {
  const members = workers.map(({ worker, condition }) => ({
    worker,
    phase: condition === "starting" ? ("starting" as const) : ("ready" as const),
    createdAt: 0,
  }));
  return { pool, target: members.length, members };
}
