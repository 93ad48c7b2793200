/** Decides whether tasks may compete as asked, and fills in what was left open. */
import { limits, PriorityClass, type Scheduling } from "@zfarm/contract";
import type { Fault, Violations } from "./violations.ts";

/** What nothing was asked of. */
export const noScheduling: Scheduling = {
  priorityClass: PriorityClass.UNSPECIFIED,
  priority: 0,
  deadlineTime: undefined,
  maxConcurrency: 0,
  maxFailedTasks: 0,
  sampleTasks: 0,
};

export interface SchedulingPlace {
  /** Where it stands in the request, for example `scheduling`. */
  readonly path: string;
  /** Tasks of the job. */
  readonly tasks: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** Adds every violation; a field that is 0 or absent takes its default and is always right. */
export function checkScheduling(
  scheduling: Scheduling,
  { path, tasks, nowMs }: SchedulingPlace,
  violations: Violations,
): void {
  const { priorityClass, priority, maxConcurrency, maxFailedTasks, sampleTasks } = scheduling;
  violations.add(`${path}.priority_class`, checkMax(priorityClass, PriorityClass.BATCH));
  violations.add(`${path}.priority`, checkMax(priority, limits.priorityMax));
  violations.add(`${path}.deadline_time`, checkDeadline(scheduling.deadlineTime, nowMs));
  violations.add(`${path}.max_concurrency`, checkMax(maxConcurrency, limits.tasksPerJobMax));
  violations.add(`${path}.max_failed_tasks`, checkMax(maxFailedTasks, tasks, tasksOfJob));
  violations.add(`${path}.sample_tasks`, checkMax(sampleTasks, tasks, tasksOfJob));
}

/** The scheduling with the defaults of a job, or of a single picture, that somebody waits for. */
export function fillScheduling(
  asked: Scheduling | undefined,
  kind: "image" | "images",
): Scheduling {
  const { priorityClass, priority, deadlineTime, ...held } = asked ?? noScheduling;
  const byDefault = kind === "image" ? PriorityClass.INTERACTIVE : PriorityClass.STANDARD;
  const competing = {
    priorityClass: priorityClass === PriorityClass.UNSPECIFIED ? byDefault : priorityClass,
    priority: priority === 0 ? limits.priorityDefault : priority,
    deadlineTime,
  };
  // Of one picture nothing can be held back.
  if (kind === "image") return { ...noScheduling, ...competing };
  return { ...competing, ...held };
}

/** Whether the job as a whole is held to anything; what a task alone competes by is in the task. */
export function needsControl(scheduling: Scheduling): boolean {
  const { maxConcurrency, maxFailedTasks, sampleTasks } = scheduling;
  return maxConcurrency > 0 || maxFailedTasks > 0 || sampleTasks > 0;
}

const tasksOfJob = ", the tasks of the job";

function checkMax(value: number, max: number, what = ""): Fault | undefined {
  if (value >= 0 && value <= max) return undefined;
  const description = `is ${value}; allowed are 1 to ${max}${what}, or 0 for the default`;
  return { reason: "OUT_OF_RANGE", description };
}

function checkDeadline(deadline: Date | undefined, nowMs: number): Fault | undefined {
  if (deadline === undefined) return undefined;
  const leftMs = deadline.getTime() - nowMs;
  // What is no time at all compares as false.
  if (leftMs > 0 && leftMs <= limits.deadlineMsMax) return undefined;
  const days = limits.deadlineMsMax / 86_400_000;
  const description = `must lie in the future, and at most ${days} days away`;
  return { reason: "OUT_OF_RANGE", description };
}
