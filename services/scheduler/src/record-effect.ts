/** Logs and counts what the core decided, so that every decision can be looked up by its reason. */
import { taskIdOf, taskKey } from "@zfarm/contract";
import { type Clock, type Log, parseTraceParent } from "@zfarm/runtime";
import type { Grant, SchedulerEffect } from "./domain/scheduler-effect.ts";
import { labelOf, type SchedulerMetrics } from "./metrics.ts";
import { countStarts } from "./slo-metrics.ts";

/** Lines of what happens often and well are debug, so that info stays one line a grant. */
interface Recorders {
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
}

export function recordEffect(
  effect: SchedulerEffect,
  { log, metrics, clock }: Recorders & { readonly clock: Clock },
): void {
  switch (effect.kind) {
    case "grant":
      countStarts(metrics, effect, clock.now());
      recordGrant(effect, { log, metrics });
      return;
    case "answer-empty":
      metrics.assignments.inc({ result: labelOf(effect.reason) });
      log.debug({ worker_id: effect.worker, reason: effect.reason }, "nothing granted");
      return;
    case "task-released":
      metrics.redeliveries.inc({ reason: labelOf(effect.reason) });
      log.warn(
        {
          task_id: taskKey(effect.id),
          worker_id: effect.worker,
          reason: effect.reason,
          attempt: effect.attempt,
          fence: effect.fence.toString(),
          attempts_before: effect.attempts,
          ...traceOf(effect),
        },
        "task came back",
      );
      return;
    case "lease-adopted":
      metrics.adoptions.inc();
      log.info({ task_id: taskKey(effect.id), worker_id: effect.worker }, "lease adopted");
      return;
    case "publish-outcome":
      metrics.outcomes.inc({ reason: labelOf(effect.reason) });
      log.info(
        {
          task_id: taskKey(effect.id),
          reason: effect.reason,
          failure: effect.outcome.failure?.reason,
          ...traceOf(effect.outcome.spec),
        },
        "task ended by scheduler",
      );
      return;
    case "worker-quarantined":
    case "cost-learned":
    case "prewarm":
    case "control-drain":
    case "control-resume":
      recordCare(effect, { log, metrics });
      return;
    case "control-cancel": {
      const task = taskKey(taskIdOf(effect.leased));
      const fields = { task_id: task, worker_id: effect.worker, reason: effect.reason };
      log.debug(fields, "worker told to stop");
      return;
    }
    case "remove-task":
    case "rewrite-task":
      log.debug({ task_id: taskKey(effect.id), reason: effect.reason }, effect.kind);
      return;
    // Too many to log, and nothing is decided by them.
    case "announce-leader":
    case "announce-position":
      return;
  }
}

type Care = Extract<
  SchedulerEffect,
  { kind: "worker-quarantined" | "cost-learned" | "prewarm" | "control-drain" | "control-resume" }
>;

/** What is done for the workers rather than for a task. */
function recordCare(effect: Care, { log, metrics }: Recorders): void {
  switch (effect.kind) {
    case "worker-quarantined":
      metrics.quarantines.inc({ cause: effect.reason.toLowerCase() });
      log.warn(
        { worker_id: effect.worker, reason: effect.reason, until: new Date(effect.until) },
        "worker quarantined",
      );
      return;
    case "cost-learned":
      metrics.gpuSeconds.inc({ pool: effect.pool }, effect.actualMs / 1_000);
      metrics.predictionError.observe(effect.error);
      return;
    case "prewarm":
      metrics.prewarms.inc();
      log.debug({ worker_id: effect.worker, reason: effect.reason }, "adapter fetched ahead");
      return;
    case "control-drain":
    case "control-resume":
      log.info({ worker_id: effect.worker, reason: effect.reason }, effect.kind);
      return;
  }
}

/** One wide line for each grant. */
function recordGrant(grant: Grant, { log, metrics }: Recorders): void {
  const tasks = grant.leases.flatMap(({ spec }) => (spec ? [taskKey(taskIdOf(spec))] : []));
  metrics.assignments.inc({ result: "granted" });
  metrics.grantTasks.observe(tasks.length);
  for (const kind of grant.placements) metrics.placements.inc({ kind });
  for (const waitedMs of grant.waitedMs) metrics.timeToAssign.observe(waitedMs / 1_000);
  log.info(
    {
      worker_id: grant.worker,
      reason: grant.reason,
      shape: grant.shape,
      task_ids: tasks,
      attempts: grant.leases.map(({ attempt }) => attempt),
      waited_ms: grant.waitedMs,
      predicted_ms: grant.predictedMs.map(Math.round),
      placements: grant.placements,
      ...tracesOf(grant),
    },
    "tasks granted",
  );
}

/** In the order of the leases; absent where no trace of them is kept. */
function tracesOf({ leases }: Grant): { readonly trace_ids?: readonly (string | null)[] } {
  const ids = leases.map(({ spec }) => traceOf(spec).trace_id ?? null);
  return ids.every((id) => id === null) ? {} : { trace_ids: ids };
}

function traceOf(carrier: { readonly traceparent?: string | undefined } | undefined): {
  readonly trace_id?: string;
} {
  const traceId = parseTraceParent(carrier?.traceparent)?.traceId;
  return traceId === undefined ? {} : { trace_id: traceId };
}
