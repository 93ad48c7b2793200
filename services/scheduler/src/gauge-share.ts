/** Gauges of a process that leads several shards: each term sets its own share of the sum. */
import { Gauge } from "@zfarm/runtime";
import type { SchedulerMetrics } from "./metrics.ts";

type Labels<Name extends string> = Partial<Record<Name, string | number>>;

/** Looks like a gauge of one term; what it shows is added to what the others show. */
class GaugeShare<Name extends string> extends Gauge<Name> {
  readonly #whole: Gauge<Name>;
  readonly #own = new Map<string, { readonly labels: Labels<Name>; readonly value: number }>();

  constructor(whole: Gauge<Name>) {
    // Registered nowhere: only the sum is shown.
    super({ name: "share", help: "One term's share of a gauge.", registers: [] });
    this.#whole = whole;
  }

  override set(value: number): void;
  override set(labels: Labels<Name>, value: number): void;
  override set(labelsOrValue: Labels<Name> | number, given?: number): void {
    const labels = typeof labelsOrValue === "number" ? {} : labelsOrValue;
    const value = typeof labelsOrValue === "number" ? labelsOrValue : (given ?? 0);
    const key = JSON.stringify(labels);
    this.#whole.inc(labels, value - (this.#own.get(key)?.value ?? 0));
    this.#own.set(key, { labels, value });
  }

  override reset(): void {
    // The gauge resets itself while it is being made, when nothing is shown yet.
    if (!(#own in this)) return;
    for (const { labels, value } of this.#own.values()) this.#whole.dec(labels, value);
    this.#own.clear();
  }
}

/** The same metrics for one term of several; counters add up by themselves. */
export function shareGauges(metrics: SchedulerMetrics): SchedulerMetrics {
  return {
    ...metrics,
    waiting: new GaugeShare(metrics.waiting),
    waitingByReason: new GaugeShare(metrics.waitingByReason),
    backlog: new GaugeShare(metrics.backlog),
    running: new GaugeShare(metrics.running),
    leader: new GaugeShare(metrics.leader),
  };
}
