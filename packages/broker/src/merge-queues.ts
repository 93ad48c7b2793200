/** Adds up what the leaders of several shards say of the same pools. */
import type { ClassQueue, PoolQueue, ProjectQueue, WaitCount } from "@zfarm/contract";

/** By name. A project is in one shard alone, so nothing but its shares changes. */
export function mergeQueues(lists: readonly (readonly PoolQueue[])[]): PoolQueue[] {
  const byPool = Map.groupBy(lists.flat(), ({ pool }) => pool);
  return [...byPool.values()]
    .map(mergePool)
    .toSorted((one, other) => (one.pool < other.pool ? -1 : 1));
}

function mergePool(parts: readonly PoolQueue[]): PoolQueue {
  const total = (count: (part: PoolQueue) => number): number =>
    parts.reduce((sum, part) => sum + count(part), 0);
  const weights = total((part) => part.weights);
  const usedSeconds = total((part) => part.usedSeconds);
  const projects = parts.flatMap((part) => part.projects);
  return {
    pool: parts[0]?.pool ?? "",
    waiting: total((part) => part.waiting),
    running: total((part) => part.running),
    backlogSeconds: total((part) => part.backlogSeconds),
    oldestSeconds: Math.max(...parts.map((part) => part.oldestSeconds)),
    classes: mergeClasses(parts.flatMap((part) => part.classes)),
    reasons: mergeReasons(parts.flatMap((part) => part.reasons)),
    projects: projects
      .map((project) => shareOf(project, { weights, usedSeconds }))
      .toSorted((one, other) => other.usedSeconds - one.usedSeconds),
    projectCount: total((part) => part.projectCount),
    weights,
    usedSeconds,
    warmStarts: total((part) => part.warmStarts),
    coldStarts: total((part) => part.coldStarts),
  };
}

function shareOf(
  project: ProjectQueue,
  whole: { readonly weights: number; readonly usedSeconds: number },
): ProjectQueue {
  return {
    ...project,
    usedShare: whole.usedSeconds === 0 ? 0 : project.usedSeconds / whole.usedSeconds,
    dueShare: whole.weights === 0 ? 0 : project.weight / whole.weights,
  };
}

function mergeClasses(classes: readonly ClassQueue[]): ClassQueue[] {
  const byClass = Map.groupBy(classes, ({ priorityClass }) => priorityClass);
  return [...byClass.values()]
    .map((same) =>
      same.reduce((sum, each) => ({
        priorityClass: sum.priorityClass,
        waiting: sum.waiting + each.waiting,
        running: sum.running + each.running,
        backlogSeconds: sum.backlogSeconds + each.backlogSeconds,
        oldestSeconds: Math.max(sum.oldestSeconds, each.oldestSeconds),
      })),
    )
    .toSorted((one, other) => one.priorityClass - other.priorityClass);
}

function mergeReasons(reasons: readonly WaitCount[]): WaitCount[] {
  const byReason = Map.groupBy(reasons, ({ reason }) => reason);
  return [...byReason]
    .map(([reason, same]) => ({ reason, tasks: same.reduce((sum, { tasks }) => sum + tasks, 0) }))
    .toSorted((one, other) => other.tasks - one.tasks || one.reason - other.reason);
}
