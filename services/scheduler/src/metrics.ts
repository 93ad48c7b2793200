/** The scheduler's metrics; labels come from closed sets, and pools are named by operators. */
import { WorkerState, waitReasonName } from "@zfarm/contract";
import { Counter, Gauge, Histogram, type Registry, startAtZero } from "@zfarm/runtime";
import type { PoolMeasures } from "./domain/farm-view.ts";
import { outcomeReasons, releaseReasons } from "./domain/scheduler-effect.ts";
import { loraStates } from "./domain/shelf.ts";
import { createPictureMetrics } from "./picture-metrics.ts";
import { createProjectMetrics } from "./project-metrics.ts";
import { createSloMetrics, showOldest } from "./slo-metrics.ts";

export type SchedulerMetrics = ReturnType<typeof createSchedulerMetrics>;

/** Seconds: from an idle worker that waits already to a long backlog. */
const assignBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1_800];

/** Seconds: from one event of an idle farm to a step that keeps workers waiting. */
const stepBuckets = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];

export function createSchedulerMetrics(registry: Registry) {
  const metrics = {
    ...createFarmGauges(registry),
    ...createDecisionCounters(registry),
    ...createCostMetrics(registry),
    ...createSloMetrics(registry),
    projects: createProjectMetrics(registry),
    pictures: createPictureMetrics(registry),
  };
  startAtZero(metrics.outcomes, { reason: outcomeReasons.map(labelOf) });
  startAtZero(metrics.redeliveries, { reason: releaseReasons.map(labelOf) });
  startAtZero(metrics.placements, { kind: loraStates });
  return metrics;
}

/** Reasons are kebab-case in code and logs; metric labels are snake_case. */
export function labelOf(reason: string): string {
  return reason.replaceAll("-", "_");
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
    waitingByReason: new Gauge({
      name: "zfarm_tasks_waiting",
      help: "Live tasks that no worker holds, each under the one reason that binds it.",
      labelNames: ["pool", "reason"],
      registers,
    }),
    backlog: new Gauge({
      name: "zfarm_backlog_gpu_seconds",
      help: "Device time of the tasks that wait, as predicted.",
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
    tables: new Gauge({
      name: "zfarm_scheduler_table_entries",
      help: "What the leader keeps in memory, by table: most of it empties with the farm.",
      labelNames: ["table"],
      registers,
    }),
    leader: new Gauge({
      name: "zfarm_scheduler_leader",
      help: "Shards that this process leads: of one shard 1 or 0.",
      registers,
    }),
    shards: new Gauge({
      name: "zfarm_scheduler_shards",
      help: "Shards of the farm: as many leaders there should be, in one process or in several.",
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
    stepSeconds: new Histogram({
      name: "zfarm_scheduler_step_seconds",
      help: "Time of one step of the core over the events that came together.",
      buckets: stepBuckets,
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

/** What pictures cost and what placing their adapters did. */
function createCostMetrics(registry: Registry) {
  const registers = [registry];
  return {
    placements: new Counter({
      name: "zfarm_lora_placements_total",
      help: "LoRA stacks granted, by whether the worker had them on its device.",
      labelNames: ["kind"],
      registers,
    }),
    prewarms: new Counter({
      name: "zfarm_lora_prewarms_total",
      help: "Adapters that a worker was told to fetch before their task's turn came.",
      registers,
    }),
    gpuSeconds: new Counter({
      name: "zfarm_gpu_seconds_total",
      help: "Device time of finished pictures, as their workers measured it.",
      labelNames: ["pool"],
      registers,
    }),
    predictionError: new Histogram({
      name: "zfarm_scheduler_prediction_error_ratio",
      help: "How far the predicted device time of a picture was off, over the prediction.",
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
      registers,
    }),
    quarantines: new Counter({
      name: "zfarm_worker_quarantines_total",
      help: "Workers put into quarantine, by the failure that did it.",
      labelNames: ["cause"],
      registers,
    }),
  };
}

const workerStates = {
  starting: WorkerState.STARTING,
  ready: WorkerState.READY,
  busy: WorkerState.BUSY,
  draining: WorkerState.DRAINING,
  quarantined: WorkerState.QUARANTINED,
  locked: WorkerState.LOCKED,
};

/** Sets the gauges that describe the farm. */
export function showFarm(
  metrics: SchedulerMetrics,
  farm: {
    readonly pools: readonly PoolMeasures[];
    readonly workers: ReadonlyMap<WorkerState, number>;
    readonly tables: Readonly<Record<string, number>>;
  },
): void {
  metrics.waitingByReason.reset();
  for (const { pool, queued, leased, waiting, backlogMs, oldestMs } of farm.pools) {
    metrics.waiting.set({ pool }, queued);
    metrics.running.set({ pool }, leased);
    metrics.backlog.set({ pool }, backlogMs / 1_000);
    showOldest(metrics, pool, oldestMs);
    for (const [reason, tasks] of waiting) {
      metrics.waitingByReason.set({ pool, reason: waitReasonName(reason) }, tasks);
    }
  }
  for (const [table, entries] of Object.entries(farm.tables)) {
    metrics.tables.set({ table }, entries);
  }
  for (const [state, value] of Object.entries(workerStates)) {
    metrics.workers.set({ state }, farm.workers.get(value) ?? 0);
  }
}

/** A standby knows nothing of the farm, so it shows nothing instead of old numbers. */
export function hideFarm(metrics: SchedulerMetrics): void {
  const { waiting, waitingByReason, backlog, running, workers, tables } = metrics;
  for (const gauge of [waiting, waitingByReason, backlog, running, workers, tables]) gauge.reset();
  metrics.oldestAge.reset();
  metrics.leader.set(0);
}
