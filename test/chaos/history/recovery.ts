/**
 * How fast the farm went on after a fault: from the fault to the next attempt or the outcome of
 * each task that it hit, and from the fault to the next attempt at anything.
 */
import type { FarmEvent } from "./history.ts";

export interface Recovery {
  readonly faults: number;
  /** Faults that hit work in hand. */
  readonly faultsInFlight: number;
  /** One number for each task that was hit, in milliseconds, ascending. */
  readonly recoveryMs: readonly number[];
  /** Tasks that were hit and that nobody went on with. */
  readonly unrecovered: readonly string[];
}

/** `attempt` is the worker's name of it: project.job.index/fence. */
export function taskOfAttempt(attempt: string): string {
  return attempt.slice(0, attempt.lastIndexOf("/"));
}

/**
 * A fault whose target is a worker takes down what that worker has in hand; any other one, such as
 * the end of the broker, stands in the way of everything in hand.
 */
export function measureRecovery(events: readonly FarmEvent[], fault: string): Recovery {
  const ordered = events.toSorted((a, b) => a.atMs - b.atMs);
  /** Task to the worker that has it in hand. */
  const held = new Map<string, string>();
  /** Task to the moment of the first fault that it has not come through yet. */
  const hit = new Map<string, number>();
  /** An attempt that begins after its task has ended is nobody's loss. */
  const ended = new Set<string>();
  const recoveryMs: number[] = [];
  let [faults, faultsInFlight] = [0, 0];
  const settle = (task: string, atMs: number): void => {
    const since = hit.get(task);
    hit.delete(task);
    if (since !== undefined) recoveryMs.push(atMs - since);
  };
  for (const event of ordered) {
    if (event.kind === "begin") {
      const task = taskOfAttempt(event.attempt);
      settle(task, event.atMs);
      if (!ended.has(task)) held.set(task, event.worker);
    } else if (event.kind === "outcome") {
      const task = `default.${event.job}.${event.index}`;
      settle(task, event.atMs);
      held.delete(task);
      ended.add(task);
    } else if (event.kind === "fault" && event.fault === fault) {
      const tasks = findHit(held, event.target);
      faults += 1;
      if (tasks.length > 0) faultsInFlight += 1;
      for (const task of tasks) hit.set(task, hit.get(task) ?? event.atMs);
    }
  }
  const sorted = recoveryMs.toSorted((a, b) => a - b);
  return { faults, faultsInFlight, recoveryMs: sorted, unrecovered: [...hit.keys()] };
}

/** What a worker had in hand is with nobody now; any other target leaves it where it is. */
function findHit(held: Map<string, string>, target: string): string[] {
  if (!target.startsWith("worker-")) return [...held.keys()];
  const tasks = [...held].flatMap(([task, worker]) => (worker === target ? [task] : []));
  for (const task of tasks) held.delete(task);
  return tasks;
}

/**
 * For each fault: how long until any engine began with an attempt. A fault that the next one of
 * its kind cut short tells nothing, unless it had lasted longer than the bound by then.
 */
export function measureGaps(
  events: readonly FarmEvent[],
  fault: string,
  boundMs: number,
): number[] {
  const ordered = events.toSorted((a, b) => a.atMs - b.atMs);
  const isFault = (event: FarmEvent): boolean => event.kind === "fault" && event.fault === fault;
  return ordered
    .flatMap((event, position) => {
      if (!isFault(event)) return [];
      const after = ordered.slice(position + 1);
      const next = after.find((each) => each.kind === "begin" || isFault(each));
      if (next === undefined) return [];
      const gapMs = next.atMs - event.atMs;
      return next.kind === "begin" || gapMs > boundMs ? [gapMs] : [];
    })
    .toSorted((a, b) => a - b);
}

/** Of ascending numbers; undefined where there are none. */
export function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
