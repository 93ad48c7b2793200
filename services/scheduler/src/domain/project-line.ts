/**
 * One project in the line of one pool: its lanes share the project's turns by class and priority,
 * and the project shares the pool by weight.
 */
import type { PoolId } from "@zfarm/contract";
import { type Priority, priorityOf } from "./job-entry.ts";
import { Lane, laneKey } from "./lane.ts";
import type { Lot } from "./lot.ts";
import type { ProjectEntry } from "./project-entry.ts";
import { RecentSum } from "./recent-sum.ts";
import { StrideLine, StrideMember } from "./stride-line.ts";

export class ProjectLine {
  readonly project: ProjectEntry;
  readonly pool: PoolId;
  /** In the fair line of the pool. */
  readonly turn: StrideMember<ProjectLine>;
  /** Tasks that could be granted, as far as the project's own limits allow. */
  waiting = 0;
  /** Device milliseconds that it was charged of late. */
  readonly used = new RecentSum();
  /** Tasks of the project in this pool, in whatever state: without any the line is forgotten. */
  live = 0;
  readonly #lanes = new Map<string, Lane>();
  readonly #turns = new StrideLine<Lane>();

  constructor(project: ProjectEntry, pool: PoolId) {
    this.project = project;
    this.pool = pool;
    this.turn = new StrideMember<ProjectLine>(this, project.weight);
  }

  /** The lot joins the lane of its class and priority, or of the deadlines of its class. */
  add(lot: Lot): void {
    const priority = priorityOf(lot);
    lot.deadlineAt = priority.deadlineAt;
    const lane = this.#openLane(priority, hasDeadline(lot, priority));
    lane.add(lot);
    this.#turns.add(lane.turn);
    this.waiting += lot.size;
  }

  remove(lot: Lot): void {
    const { lane } = lot;
    if (lane === undefined) return;
    lane.remove(lot);
    if (lane.size === 0) this.#turns.remove(lane.turn);
    this.waiting -= lot.size;
  }

  /** Serving a lot moves its lane on; a correction finds the lane though the lot has left it. */
  charge(lot: Lot, costMs: number, waitedMs?: number): void {
    this.used.add(costMs);
    const lane = lot.lane ?? this.#lanes.get(laneKeyOf(lot));
    if (lane === undefined) return;
    if (waitedMs !== undefined) lane.turn.rate = lane.rateAfter(waitedMs);
    this.#turns.charge(lane.turn, costMs);
  }

  /** Lanes whose first task has waited long come sooner: what they had counts less against them. */
  age(elapsedMs: number): void {
    this.used.age(elapsedMs);
    for (const lane of this.lanes()) {
      const since = lane.first?.first?.waitingSince ?? elapsedMs;
      const rate = lane.rateAfter(elapsedMs - since);
      if (rate > lane.turn.rate) this.#turns.rerate(lane.turn, rate);
    }
  }

  /** Its lanes, the one that is next first. */
  lanes(): Lane[] {
    return this.#turns.peek(this.#turns.size).map((turn) => turn.target);
  }

  /** Lots in about the order in which they come, at most `count` of each lane. */
  *lots(count: number): IterableIterator<Lot> {
    for (const lane of this.lanes()) yield* lane.peek(count);
  }

  /** Kept when it is empty, so that what it owes is not forgotten; lanes are few. */
  #openLane(priority: Priority, hasDeadlines: boolean): Lane {
    const key = laneKey(priority, hasDeadlines);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(priority, hasDeadlines);
      this.#lanes.set(key, lane);
    }
    return lane;
  }
}

function laneKeyOf(lot: Lot): string {
  const priority = priorityOf(lot);
  return laneKey(priority, hasDeadline(lot, priority));
}

/** Whether the lot competes by its deadline: it has one that it can still make. */
function hasDeadline({ isLate }: Lot, { deadlineAt }: Priority): boolean {
  return deadlineAt !== Number.POSITIVE_INFINITY && !isLate;
}
