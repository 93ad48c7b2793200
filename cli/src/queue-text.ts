/** What waits and runs, as lines that a person reads. */
import { type PoolQueue, PriorityClass, type WaitCount, waitReasonName } from "@zfarm/contract";
import { percentText, spanText } from "./amounts.ts";
import { enumName } from "./json-text.ts";
import { formatTable } from "./terminal.ts";

export const queueHeader = ["POOL", "CLASS", "WAITING", "RUNNING", "BACKLOG", "OLDEST"];

export const projectHeader = ["PROJECT", "POOL", "WAITING", "RUNNING", "USED", "DUE"];

/** Each pool and each class in it, why tasks wait, and whose they are. */
export function describeQueues(queues: readonly PoolQueue[]): string[] {
  const reasons = queues.flatMap(({ pool, reasons: counts }) =>
    counts.length === 0 ? [] : [`${shortPool(pool)} waits for ${describeReasons(counts)}`],
  );
  const projects = queues.flatMap(projectRows);
  const starts = queues.flatMap(describeStarts);
  return [
    ...formatTable([queueHeader, ...queues.flatMap(queueRows)]),
    ...(reasons.length === 0 ? [] : ["", ...reasons]),
    ...(projects.length === 0 ? [] : ["", ...formatTable([projectHeader, ...projects])]),
    ...(starts.length === 0 ? [] : ["", ...starts]),
  ];
}

/** A row for the pool and one for each of its classes where there are several. */
export function queueRows({ pool, classes, ...whole }: PoolQueue): string[][] {
  const row = (name: string, each: Pick<PoolQueue, QueueNumber>): string[] => [
    shortPool(pool),
    name,
    String(each.waiting),
    String(each.running),
    spanText(each.backlogSeconds),
    each.waiting === 0 ? "-" : spanText(each.oldestSeconds),
  ];
  const ofClasses = classes.map((each) => row(enumName(PriorityClass, each.priorityClass), each));
  return classes.length === 1 ? ofClasses : [row("all", whole), ...ofClasses];
}

type QueueNumber = "waiting" | "running" | "backlogSeconds" | "oldestSeconds";

export function projectRows({ pool, projects }: PoolQueue): string[][] {
  return projects.map(({ project, waiting, running, usedShare, dueShare }) => [
    project.replace(/^projects\//, ""),
    shortPool(pool),
    String(waiting),
    String(running),
    percentText(usedShare),
    percentText(dueShare),
  ]);
}

export function describeReasons(counts: readonly WaitCount[]): string {
  return counts.map(({ reason, tasks }) => `${waitReasonName(reason)} ${tasks}`).join(", ");
}

export function shortPool(pool: string): string {
  return pool.replace(/^pools\//, "");
}

/** Of late, where there were batches with adapters at all. */
function describeStarts({ pool, warmStarts, coldStarts }: PoolQueue): string[] {
  const all = warmStarts + coldStarts;
  if (all < 0.5) return [];
  const cold = percentText(coldStarts / all);
  return [`${shortPool(pool)} loaded adapters for ${cold} of its batches that need some`];
}
