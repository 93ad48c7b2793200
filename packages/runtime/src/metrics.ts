/** Prometheus metrics. The only importer of prom-client; everyone else gets them from here. */
import { collectDefaultMetrics, type Registry } from "prom-client";

export { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Adds CPU, memory, event loop and garbage collection of this process; once per process. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
}
