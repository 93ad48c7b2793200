/** Pools, what waits in them, and what the autoscaler does, as lines that a person reads. */
import type { Pool, PoolConduct, ScalingDecision, ScalingWish } from "@zfarm/contract";
import { ageText } from "./amounts.ts";
import { formatTable } from "./terminal.ts";

export function describePools(pools: readonly Pool[]): string[] {
  const header = ["POOL", "MODEL", "PIXELS", "STEPS", "ADAPTERS", "WORKERS", "CONDUCT"];
  const rows = pools.map(({ name, facts, conduct }) => [
    name.replace(/^pools\//, ""),
    facts?.model ?? "-",
    facts === undefined ? "-" : String(facts.pixelsMax),
    facts === undefined ? "-" : String(facts.stepsDefault),
    facts?.rankBudget === undefined ? "-" : `rank ${facts.rankBudget}`,
    describeWish(conduct?.scaling),
    conduct === undefined ? "" : describeUse(conduct),
  ]);
  return formatTable([header, ...rows]);
}

export function describeConduct(conduct: PoolConduct): string {
  return `${conduct.name}: ${describeUse(conduct)}; workers ${describeWish(conduct.scaling)}`;
}

export function describeScaling(pools: readonly ScalingDecision[], nowMs: number): string[] {
  const header = [
    "POOL",
    "DESIRED",
    "TARGET",
    "READY",
    "STARTING",
    "ASIDE",
    "WHY",
    "DONE",
    "SINCE",
  ];
  const rows = pools.map(({ pool, desired, target, inputs, reason, result, decideTime }) => [
    pool,
    String(desired),
    String(target),
    String(inputs?.ready ?? 0),
    String(inputs?.starting ?? 0),
    String(inputs?.aside ?? 0),
    reason,
    result || "-",
    ageText(decideTime, nowMs),
  ]);
  return formatTable([header, ...rows]);
}

/** For example "1 to 4", "at most 0, paused", "as the file says". */
function describeWish(wish: ScalingWish | undefined): string {
  if (wish === undefined) return "as configured";
  const { workersMin: min, workersMax: max, paused } = wish;
  const least = min === undefined ? "" : `at least ${min}`;
  const most = max === undefined ? "" : `at most ${max}`;
  const range = min === undefined || max === undefined ? least + most : `${min} to ${max}`;
  return [range || "as configured", ...(paused ? ["paused"] : [])].join(", ");
}

function describeUse({ draining, speculateAfter }: PoolConduct): string {
  const factor = Number(speculateAfter.toFixed(3));
  const speculation =
    factor === 0
      ? "tries no task twice at once"
      : `tries a task that takes ${factor} times longer than expected a second time`;
  return `${draining ? "drains, " : ""}${speculation}`;
}
