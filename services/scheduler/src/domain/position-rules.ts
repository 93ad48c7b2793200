/** Tells who waits how far they are: a preview of the order in which tasks would start. */
import { limits } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { ProjectLine } from "./project-line.ts";
import type { TaskEntry } from "./task-entry.ts";

/** Said before the grants that may follow at once, so that who watches hears of both in order. */
export function announceArrivals(state: FarmState): void {
  if (state.arrived.length === 0) return;
  const { arrived } = state;
  state.arrived = [];
  const positions = new Map<PoolEntry, Map<TaskEntry, number>>();
  for (const entry of arrived) {
    const { pool } = entry.job;
    // Behind a long line the place of one more costs a walk, and means nothing to anybody.
    if (pool.line.size > limits.positionTasksMax || entry.lot.lane === undefined) continue;
    const ofPool = positions.get(pool) ?? positionsOf(pool);
    positions.set(pool, ofPool);
    const position = ofPool.get(entry);
    if (position === undefined) continue;
    state.emit({ kind: "announce-position", reason: "just-arrived", id: entry.id, position });
  }
}

/** Tells the first of each line how far they are, once in a while. */
export function announcePositions(state: FarmState): void {
  if (state.now < state.positionsAt) return;
  state.positionsAt = state.now + limits.positionEveryMs;
  for (const pool of state.pools.values()) {
    for (const [{ id }, position] of positionsOf(pool)) {
      state.emit({ kind: "announce-position", reason: "still-waiting", id, position });
    }
  }
}

/** The first tasks of the line, each with how many would start before it, one by one. */
export function positionsOf(pool: PoolEntry): Map<TaskEntry, number> {
  const positions = new Map<TaskEntry, number>();
  const max = limits.positionTasksMax;
  const walks = [...pool.line.ordered(max)].map((line) => new ProjectWalk(line, max));
  while (positions.size < max) {
    // As the line itself does: of equal passes, the one that stands first.
    let next: ProjectWalk | undefined;
    for (const walk of walks) if (walk.hasMore && isNext(walk, next)) next = walk;
    if (next === undefined) return positions;
    positions.set(next.take(), positions.size);
  }
  return positions;
}

function isNext(one: { pass: number }, other: { pass: number } | undefined): boolean {
  return other === undefined || one.pass < other.pass;
}

interface LaneWalk {
  pass: number;
  readonly rate: number;
  /** The first one last. */
  readonly tasks: TaskEntry[];
}

/** Serves the lanes of one project in thought; every task is taken to cost the same. */
class ProjectWalk {
  pass: number;
  readonly #weight: number;
  readonly #lanes: LaneWalk[];

  constructor(line: ProjectLine, max: number) {
    this.pass = line.turn.pass;
    this.#weight = line.project.weight;
    this.#lanes = line.lanes().map((lane) => ({
      pass: lane.turn.pass,
      rate: lane.turn.rate,
      tasks: firstTasks(lane.peek(max), max).toReversed(),
    }));
  }

  get hasMore(): boolean {
    return this.#lanes.some(({ tasks }) => tasks.length > 0);
  }

  take(): TaskEntry {
    let next: LaneWalk | undefined;
    for (const lane of this.#lanes) if (lane.tasks.length > 0 && isNext(lane, next)) next = lane;
    const task = next?.tasks.pop();
    if (next === undefined || task === undefined) throw new RangeError("a walk that is over");
    this.pass += limits.costDefaultMs / this.#weight;
    next.pass += limits.costDefaultMs / next.rate;
    return task;
  }
}

function firstTasks(lots: readonly Lot[], max: number): TaskEntry[] {
  const tasks: TaskEntry[] = [];
  for (const lot of lots) {
    for (const entry of lot) {
      if (tasks.length === max) return tasks;
      tasks.push(entry);
    }
  }
  return tasks;
}
