/** Prometheus metrics. The only importer of prom-client; everyone else gets them from here. */
import {
  Counter,
  collectDefaultMetrics,
  type Histogram,
  type LabelValues,
  type Registry,
} from "prom-client";

export { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Adds CPU, memory, event loop and garbage collection of this process; once per process. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
}

/**
 * Shows a series of each combination of labels' values as 0 before anything happened: a series
 * whose first sample is its first event looks unchanged since, and no rate ever sees that event.
 */
export function startAtZero<Label extends string>(
  metric: Counter<Label> | Histogram<Label>,
  values: Readonly<Record<NoInfer<Label>, readonly string[]>>,
): void {
  let series: LabelValues<Label>[] = [{}];
  for (const [label, each] of Object.entries<readonly string[]>(values)) {
    series = series.flatMap((labels) => each.map((value) => ({ ...labels, [label]: value })));
  }
  for (const labels of series) {
    if (metric instanceof Counter) metric.inc(labels, 0);
    else metric.zero(labels);
  }
}
