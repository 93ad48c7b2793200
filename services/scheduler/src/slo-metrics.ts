/** What objectives are measured by: how soon tasks begin, how they end, and whether in time. */
import {
  FailureBlame,
  failureReasons,
  type Outcome,
  OutcomeKind,
  PriorityClass,
} from "@zfarm/contract";
import { Counter, Gauge, Histogram, type Registry, startAtZero } from "@zfarm/runtime";
import type { Grant } from "./domain/scheduler-effect.ts";

export type SloMetrics = ReturnType<typeof createSloMetrics>;

/** Seconds; 30 is the objective of interactive tasks. */
const startBuckets = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3_600, 14_400];

const classes = new Map<PriorityClass, string>([
  [PriorityClass.INTERACTIVE, "interactive"],
  [PriorityClass.STANDARD, "standard"],
  [PriorityClass.BATCH, "batch"],
]);

export const classNames: readonly string[] = [...classes.values()];

const kinds = new Map<OutcomeKind, string>([
  [OutcomeKind.SUCCEEDED, "succeeded"],
  [OutcomeKind.FAILED, "failed"],
  [OutcomeKind.CANCELED, "canceled"],
  [OutcomeKind.EXPIRED, "expired"],
]);

const faults = ["none", "task", "farm"] as const;
const deadlineResults = ["met", "missed"] as const;

export function createSloMetrics(registry: Registry) {
  const registers = [registry];
  const metrics = {
    taskStart: new Histogram({
      name: "zfarm_task_start_seconds",
      help: "From acceptance to a first grant, by class; jobs that can be held excepted.",
      labelNames: ["class"],
      buckets: startBuckets,
      registers,
    }),
    oldestAge: new Gauge({
      name: "zfarm_oldest_task_age_seconds",
      help: "Since the acceptance of the oldest task that could be granted, by pool and class.",
      labelNames: ["pool", "class"],
      registers,
    }),
    taskOutcomes: new Counter({
      name: "zfarm_task_outcomes_total",
      help: "Tasks that ended, by how, and by whose fault where they failed.",
      labelNames: ["outcome", "fault"],
      registers,
    }),
    deadlines: new Counter({
      name: "zfarm_task_deadlines_total",
      help: "Tasks with a deadline that ended, by whether it was met; canceled ones aside.",
      labelNames: ["result"],
      registers,
    }),
  };
  startAtZero(metrics.taskStart, { class: classNames });
  startAtZero(metrics.taskOutcomes, { outcome: [...kinds.values()], fault: ["none"] });
  startAtZero(metrics.taskOutcomes, { outcome: ["failed"], fault: faults });
  startAtZero(metrics.deadlines, { result: deadlineResults });
  return metrics;
}

/** Of pools' oldest tasks, milliseconds by class. */
export function showOldest(
  { oldestAge }: SloMetrics,
  pool: string,
  oldest: ReadonlyMap<PriorityClass, number>,
): void {
  for (const [priorityClass, name] of classes) {
    oldestAge.set({ pool, class: name }, (oldest.get(priorityClass) ?? 0) / 1_000);
  }
}

/** Counts what begins for the first time. Whoever can be paused may not have wanted to begin. */
export function countStarts(
  { taskStart }: SloMetrics,
  { leases, reason }: Grant,
  nowMs: number,
): void {
  for (const { spec, attempt } of leases) {
    const acceptedMs = spec?.createTime?.getTime();
    const isHeld = spec?.priority?.isControlled === true;
    if (acceptedMs === undefined || attempt > 1 || isHeld || reason === "straggler") continue;
    const label = { class: className(spec?.priority?.priorityClass) };
    taskStart.observe(label, Math.max(0, nowMs - acceptedMs) / 1_000);
  }
}

export function countOutcome({ taskOutcomes, deadlines }: SloMetrics, outcome: Outcome): void {
  const { kind, spec, endTime } = outcome;
  taskOutcomes.inc({ outcome: outcomeName(kind), fault: faultOf(outcome) });
  const deadline = spec?.priority?.deadlineTime;
  if (deadline === undefined || kind === OutcomeKind.CANCELED) return;
  const isMet = kind === OutcomeKind.SUCCEEDED && endTime !== undefined && endTime <= deadline;
  deadlines.inc({ result: isMet ? "met" : "missed" });
}

/** Tasks of no class are standard. */
export function className(priorityClass: PriorityClass = PriorityClass.STANDARD): string {
  return classes.get(priorityClass) ?? "standard";
}

export function outcomeName(kind: OutcomeKind): string {
  return kinds.get(kind) ?? "failed";
}

type Faults = (typeof faults)[number];

/** Failures that the table charges to the task though users cannot have made them. */
const farmsOwn: ReadonlySet<string> = new Set(["ENGINE_FAILED", "NAN_OUTPUT", "POISONED"]);

/** A job's own limit of failures is nobody's fault. */
function faultOf({ kind, failure }: Outcome): Faults {
  if (kind !== OutcomeKind.FAILED || failure === undefined) return "none";
  const { reason } = failure;
  if (reason === "JOB_FAILURE_BUDGET") return "none";
  if (farmsOwn.has(reason)) return "farm";
  const known = Object.hasOwn(failureReasons, reason);
  const { blame } = known ? failureReasons[reason as keyof typeof failureReasons] : failure;
  return blame === FailureBlame.WORKER || blame === FailureBlame.SHARED ? "farm" : "task";
}
