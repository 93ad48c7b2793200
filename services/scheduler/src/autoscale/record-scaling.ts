/** Logs and counts what the autoscaler decided, and shows it to whoever asks. */
import type { ScalingDecision } from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";
import { type ColdStarts, startKinds } from "../domain/autoscale/cold-starts.ts";
import type { PoolDecision } from "../domain/autoscale/decision.ts";
import { startPhases } from "../domain/autoscale/fleet.ts";
import type { ScalingResult } from "./actuator.ts";
import type { AutoscaleMetrics } from "./autoscale-metrics.ts";

/** What one tick came to for one pool. */
export interface ScalingRecord {
  readonly decision: PoolDecision;
  readonly decidedAt: number;
  readonly retiring: number;
  /** Absent where nothing was tried. */
  readonly result?: ScalingResult | undefined;
  /** What the hands took last; absent until they took something. */
  readonly askedFor?: number | undefined;
}

/** One wide line when a decision differs from the one before. */
export function logScaling(log: Log, record: ScalingRecord, before?: ScalingRecord): void {
  const { decision, retiring, result } = record;
  const { pool, desired, target, reason, bounds, inputs } = decision;
  const known = before?.decision;
  if (known?.desired === desired && known.reason === reason && before?.result === result) return;
  log.info(
    { pool, desired, target, reason, bounds, retiring, result, ...snakeCase(inputs) },
    "workers planned",
  );
}

export function countScaling(metrics: AutoscaleMetrics, record: ScalingRecord): void {
  const { decision, retiring, result } = record;
  const { pool, desired, target, reason, inputs } = decision;
  const direction = desired > target ? "up" : desired < target ? "down" : "steady";
  metrics.decisions.inc({ pool, direction, reason });
  metrics.desired.set({ pool }, desired);
  metrics.target.set({ pool }, target);
  metrics.ready.set({ pool }, inputs.ready);
  metrics.starting.set({ pool }, inputs.starting);
  metrics.unschedulable.set({ pool }, inputs.unschedulable);
  metrics.crashing.set({ pool }, inputs.crashing);
  metrics.retiring.set({ pool }, retiring);
  metrics.predictedArrival.set({ pool }, inputs.arrivalsPredicted);
  if (result !== undefined) metrics.applied.inc({ result });
}

export function showColdStarts(metrics: AutoscaleMetrics, pool: string, starts: ColdStarts): void {
  for (const kind of startKinds) {
    const ms = starts.measured(kind);
    if (ms !== undefined) metrics.coldStart.set({ pool, kind }, ms / 1_000);
  }
  for (const phase of startPhases) {
    const ms = starts.measuredPhase(phase);
    if (ms !== undefined) metrics.startPhase.set({ pool, phase }, ms / 1_000);
  }
}

export function describeScaling(record: ScalingRecord): ScalingDecision {
  const { decision, decidedAt, retiring, result = "", askedFor } = record;
  const { pool, desired, target, reason, bounds, inputs } = decision;
  return {
    pool,
    desired,
    target,
    reason,
    bounds: [...bounds],
    decideTime: new Date(decidedAt),
    inputs: { ...inputs, waitingTasks: Math.round(inputs.waitingTasks) },
    retiring,
    result,
    askedFor,
  };
}

function snakeCase(inputs: PoolDecision["inputs"]): Record<string, number> {
  const entries = Object.entries(inputs).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    Math.round(value * 1_000) / 1_000,
  ]);
  return Object.fromEntries(entries) as Record<string, number>;
}
