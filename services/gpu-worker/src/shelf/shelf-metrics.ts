/** What the worker measures of its adapters; tiers are the only label. */
import { Counter, Gauge, Histogram, type Registry, startAtZero } from "@zfarm/runtime";

export type ShelfMetrics = ReturnType<typeof createShelfMetrics>;

/** From a small adapter in the page cache to a large one over a slow network, in seconds. */
const secondsBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

export function createShelfMetrics(registry: Registry) {
  const metrics = createMetrics(registry);
  startAtZero(metrics.usesTotal, { tier: ["device", "ram", "disk", "store"] });
  startAtZero(metrics.loadSeconds, { tier: ["disk", "store"] });
  startAtZero(metrics.evictionsTotal, { tier: ["ram", "disk"] });
  return metrics;
}

function createMetrics(registry: Registry) {
  const registers = [registry];
  return {
    usesTotal: new Counter({
      name: "zfarm_worker_lora_uses_total",
      help: "Adapters of granted tasks, by the nearest tier they were found in.",
      labelNames: ["tier"],
      registers,
    }),
    loadSeconds: new Histogram({
      name: "zfarm_worker_lora_load_seconds",
      help: "Time to bring one adapter one tier nearer, by the tier it came from.",
      labelNames: ["tier"],
      buckets: secondsBuckets,
      registers,
    }),
    evictionsTotal: new Counter({
      name: "zfarm_worker_lora_evictions_total",
      help: "Adapters that left a tier because others needed the room.",
      labelNames: ["tier"],
      registers,
    }),
    bytes: new Gauge({
      name: "zfarm_worker_lora_bytes",
      help: "Bytes of adapters by the nearest tier they are in; files count for the disk.",
      labelNames: ["tier"],
      registers,
    }),
  };
}
