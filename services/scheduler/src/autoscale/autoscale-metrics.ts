/** The autoscaler's metrics: what it wants, what there is, and why. Empty on a standby. */
import { Counter, Gauge, type Registry, startAtZero } from "@zfarm/runtime";

const applyResults = ["unchanged", "applied", "conflict", "failed"] as const;

export type AutoscaleMetrics = ReturnType<typeof createAutoscaleMetrics>;

export function createAutoscaleMetrics(registry: Registry) {
  const metrics = { ...createWorkerGauges(registry), ...createDecisionMetrics(registry) };
  startAtZero(metrics.applied, { result: applyResults });
  return metrics;
}

function createWorkerGauges(registry: Registry) {
  const gauge = (name: string, help: string) =>
    new Gauge({
      name: `zfarm_autoscale_${name}_workers`,
      help,
      labelNames: ["pool"],
      registers: [registry],
    });
  return {
    desired: gauge("desired", "Workers that the autoscaler wants of a pool."),
    target: gauge("target", "Workers asked for, as those see it that start and stop them."),
    ready: gauge("ready", "Workers that serve, as the leader hears them."),
    starting: gauge("starting", "Workers that were started and are not ready yet."),
    unschedulable: gauge("unschedulable", "Workers asked for that nothing in the cluster takes."),
    crashing: gauge("crashing", "Workers that fail to start again and again."),
    retiring: gauge("retiring", "Workers that finish what they hold and then leave."),
  };
}

function createDecisionMetrics(registry: Registry) {
  const registers = [registry];
  return {
    decisions: new Counter({
      name: "zfarm_autoscale_decisions_total",
      help: "Decisions for a pool, by direction and by the rule that set the number.",
      labelNames: ["pool", "direction", "reason"],
      registers,
    }),
    predictedArrival: new Gauge({
      name: "zfarm_autoscale_predicted_arrival_gpu_seconds_per_second",
      help: "Device time that comes a second, as expected when a new worker would be ready.",
      labelNames: ["pool"],
      registers,
    }),
    coldStart: new Gauge({
      name: "zfarm_autoscale_cold_start_seconds",
      help: "From asking for a worker to its being ready, as 8 of 10 do, by kind of node.",
      labelNames: ["pool", "kind"],
      registers,
    }),
    startPhase: new Gauge({
      name: "zfarm_autoscale_start_phase_seconds",
      help: "What of a worker's start goes where, as 8 of 10 do, where a cluster tells.",
      labelNames: ["pool", "phase"],
      registers,
    }),
    applied: new Counter({
      name: "zfarm_autoscale_apply_total",
      help: "What became of decisions: unchanged, applied, conflict or failed.",
      labelNames: ["result"],
      registers,
    }),
    observeFailures: new Counter({
      name: "zfarm_autoscale_observe_failures_total",
      help: "Looks at the workers of all pools that failed; decisions hold after a few in a row.",
      registers,
    }),
    victimsMissed: new Counter({
      name: "zfarm_autoscale_victims_missed_total",
      help: "Workers chosen to go first that were still there later: others went in their place.",
      labelNames: ["pool"],
      registers,
    }),
  };
}

/** A standby decides nothing, so it shows nothing instead of old numbers. */
export function hideScaling(metrics: AutoscaleMetrics): void {
  const { desired, target, ready, starting, unschedulable, crashing, retiring } = metrics;
  for (const gauge of [desired, target, ready, starting, unschedulable, crashing, retiring]) {
    gauge.reset();
  }
  metrics.predictedArrival.reset();
  metrics.coldStart.reset();
  metrics.startPhase.reset();
}
