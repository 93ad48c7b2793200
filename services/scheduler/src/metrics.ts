/** The scheduler's metrics; labels come from closed sets, and pools are named by operators. */
import { type Worker, WorkerState } from "@zfarm/contract";
import { Counter, Gauge, Histogram, type Registry } from "@zfarm/runtime";
import type { PoolCounts } from "./domain/farm-view.ts";

export type SchedulerMetrics = ReturnType<typeof createSchedulerMetrics>;

/** Seconds: from an idle worker that waits already to a long backlog. */
const assignBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1_800];

export function createSchedulerMetrics(registry: Registry) {
  return { ...createFarmGauges(registry), ...createDecisionCounters(registry) };
}

/** What the leader sees now; empty on a standby. */
function createFarmGauges(registry: Registry) {
  const registers = [registry];
  return {
    waiting: new Gauge({
      name: "zfarm_requests_waiting",
      help: "Live tasks that no worker holds, as the leader sees them.",
      labelNames: ["pool"],
      registers,
    }),
    running: new Gauge({
      name: "zfarm_requests_running",
      help: "Live tasks that a worker holds a lease for.",
      labelNames: ["pool"],
      registers,
    }),
    workers: new Gauge({
      name: "zfarm_workers",
      help: "Workers that the leader has heard lately, by the state they report.",
      labelNames: ["state"],
      registers,
    }),
    leader: new Gauge({
      name: "zfarm_scheduler_leader",
      help: "1 while this process leads, else 0.",
      registers,
    }),
    epoch: new Gauge({
      name: "zfarm_scheduler_epoch",
      help: "The epoch of this process's newest term of leadership.",
      registers,
    }),
    rebuildSeconds: new Gauge({
      name: "zfarm_scheduler_rebuild_seconds",
      help: "How long this process took to rebuild its index when it last became the leader.",
      registers,
    }),
  };
}

/** What this process has decided since it started. */
function createDecisionCounters(registry: Registry) {
  const registers = [registry];
  return {
    assignments: new Counter({
      name: "zfarm_scheduler_assignments_total",
      help: "Answers to requests for work: granted, or why there was nothing.",
      labelNames: ["result"],
      registers,
    }),
    timeToAssign: new Histogram({
      name: "zfarm_scheduler_time_to_assign_seconds",
      help: "How long a task waited in the leader's line before it was granted.",
      buckets: assignBuckets,
      registers,
    }),
    grantTasks: new Histogram({
      name: "zfarm_scheduler_grant_tasks",
      help: "Tasks in one grant.",
      buckets: [1, 2, 3, 4, 6, 8],
      registers,
    }),
    redeliveries: new Counter({
      name: "zfarm_redeliveries_total",
      help: "Tasks that came back from a worker without an outcome, by cause.",
      labelNames: ["reason"],
      registers,
    }),
    adoptions: new Counter({
      name: "zfarm_scheduler_adoptions_total",
      help: "Leases of earlier leaders that were taken over from heartbeats.",
      registers,
    }),
    outcomes: new Counter({
      name: "zfarm_scheduler_outcomes_total",
      help: "Tasks that the scheduler itself ended, by cause.",
      labelNames: ["reason"],
      registers,
    }),
    writeRetries: new Counter({
      name: "zfarm_scheduler_write_retries_total",
      help: "Writes to the broker that failed and were tried again.",
      registers,
    }),
  };
}

const workerStates = {
  starting: WorkerState.STARTING,
  ready: WorkerState.READY,
  busy: WorkerState.BUSY,
  draining: WorkerState.DRAINING,
};

/** Sets the gauges that describe the farm. */
export function showFarm(
  metrics: SchedulerMetrics,
  farm: { pools: readonly PoolCounts[]; workers: readonly Worker[] },
): void {
  for (const { pool, queued, leased } of farm.pools) {
    metrics.waiting.set({ pool }, queued);
    metrics.running.set({ pool }, leased);
  }
  for (const [state, value] of Object.entries(workerStates)) {
    const count = farm.workers.filter((worker) => worker.state === value).length;
    metrics.workers.set({ state }, count);
  }
}

/** A standby knows nothing of the farm, so it shows nothing instead of old numbers. */
export function hideFarm(metrics: SchedulerMetrics): void {
  for (const gauge of [metrics.waiting, metrics.running, metrics.workers]) gauge.reset();
  metrics.leader.set(0);
}
