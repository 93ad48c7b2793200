/**
 * One project in the line of one pool: its lanes share the project's turns by class and priority,
 * and the project shares the pool by weight.
 */
import type { PoolId } from "@zfarm/contract";
import { type Priority, priorityOf } from "./job-entry.ts";
import { Lane, laneKey } from "./lane.ts";
import type { Lot } from "./lot.ts";
import type { ProjectEntry } from "./project-entry.ts";
import { StrideLine, StrideMember } from "./stride-line.ts";

export class ProjectLine {
  readonly project: ProjectEntry;
  readonly pool: PoolId;
  /** In the fair line of the pool. */
  readonly turn: StrideMember<ProjectLine>;
  /** Tasks that could be granted, as far as the project's own limits allow. */
  waiting = 0;
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
    const hasDeadlines = priority.deadlineAt !== Number.POSITIVE_INFINITY && !lot.isLate;
    const lane = this.#openLane(priority, hasDeadlines);
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

  /** Serving a lot moves its lane on. */
  charge(lot: Lot, costMs: number, waitedMs: number): void {
    const { lane } = lot;
    if (lane === undefined) return;
    lane.age(waitedMs);
    this.#turns.charge(lane.turn, costMs);
  }

  get first(): Lot | undefined {
    return this.#turns.first?.target.first;
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
