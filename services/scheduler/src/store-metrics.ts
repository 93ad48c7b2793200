/** Metrics of what the leader does about the object store. */
import { Counter, type Registry, startAtZero } from "@zfarm/runtime";

const reconciled = ["job", "task", "outcome", "control", "lora", "removed", "unusable"] as const;

export interface StoreMetrics {
  readonly reconciled: Counter<"what">;
  readonly swept: Counter;
  readonly roundsFailed: Counter<"round">;
}

export function createStoreMetrics(registry: Registry): StoreMetrics {
  const metrics = createMetrics(registry);
  startAtZero(metrics.roundsFailed, { round: ["reconcile", "sweep"] });
  startAtZero(metrics.reconciled, { what: reconciled });
  return metrics;
}

function createMetrics(registry: Registry): StoreMetrics {
  const registers = [registry];
  return {
    reconciled: new Counter({
      name: "zfarm_reconciled_total",
      help: "What comparing manifests with the streams put back, removed or could not read.",
      labelNames: ["what"],
      registers,
    }),
    swept: new Counter({
      name: "zfarm_objects_swept_total",
      help: "Objects removed: an outcome names another attempt, or their adapter is long deleted.",
      registers,
    }),
    roundsFailed: new Counter({
      name: "zfarm_store_rounds_failed_total",
      help: "Comparisons and sweeps that stopped short because the store or the broker was away.",
      labelNames: ["round"],
      registers,
    }),
  };
}
