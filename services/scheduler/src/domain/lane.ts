/**
 * Lots of one project that compete as one: those of one class and priority, oldest first and tried
 * ones before fresh ones, or those of one class with a deadline they can make, earliest first.
 */
import { limits, PriorityClass } from "@zfarm/contract";
import { IndexedHeap } from "./indexed-heap.ts";
import type { Priority } from "./job-entry.ts";
import { LaneLoad } from "./lane-load.ts";
import type { Lot } from "./lot.ts";
import { StrideMember } from "./stride-line.ts";

/** GPU-seconds of the classes against each other while all of them wait. */
const classRates: Readonly<Record<PriorityClass, number>> = {
  [PriorityClass.INTERACTIVE]: limits.interactiveRate,
  [PriorityClass.STANDARD]: limits.standardRate,
  [PriorityClass.BATCH]: limits.batchRate,
  [PriorityClass.UNSPECIFIED]: limits.standardRate,
  [PriorityClass.UNRECOGNIZED]: limits.standardRate,
};

export class Lane {
  readonly key: string;
  readonly priorityClass: PriorityClass;
  readonly hasDeadlines: boolean;
  readonly load = new LaneLoad();
  /** In the line of lanes of its project. */
  readonly turn: StrideMember<Lane>;
  readonly isBefore: (one: Lot, other: Lot) => boolean;
  readonly #rate: number;
  readonly #lots: IndexedHeap<Lot>;
  /** Apart from the others: many of them that avoid one worker must not hide the rest from it. */
  readonly #suspects: IndexedHeap<Lot>;

  constructor(priority: Priority, hasDeadlines: boolean) {
    const { priorityClass } = priority;
    // Whatever their priorities, what is wanted by a time goes at the pace of the highest one.
    const pace = hasDeadlines ? limits.priorityMax : priority.priority;
    this.key = laneKey(priority, hasDeadlines);
    this.priorityClass = priorityClass;
    this.hasDeadlines = hasDeadlines;
    this.#rate = classRates[priorityClass] * pace;
    this.turn = new StrideMember<Lane>(this, this.#rate);
    this.isBefore = hasDeadlines ? isDueBefore : isOlder;
    this.#lots = new IndexedHeap<Lot>(this.isBefore);
    this.#suspects = new IndexedHeap<Lot>(this.isBefore);
  }

  get size(): number {
    return this.#lots.size + this.#suspects.size;
  }

  get first(): Lot | undefined {
    const [lot, suspect] = [this.#lots.first, this.#suspects.first];
    if (lot === undefined || suspect === undefined) return lot ?? suspect;
    return this.isBefore(suspect, lot) ? suspect : lot;
  }

  /** Doubles with the time that the task which is served has waited: no rate is a sentence. */
  rateAfter(waitedMs: number): number {
    const doublings = Math.floor(waitedMs / limits.ageDoubleMs);
    return this.#rate * 2 ** Math.min(Math.max(doublings, 0), limits.ageDoublingsMax);
  }

  add(lot: Lot): void {
    lot.lane = this;
    this.#heapOf(lot).put(lot);
    this.load.add(lot);
  }

  /** It has grown or shrunk, and its first task may be another one. */
  reorder(lot: Lot): void {
    this.#heapOf(lot).put(lot);
    this.load.recount(lot);
  }

  remove(lot: Lot): void {
    this.#heapOf(lot).remove(lot);
    this.load.remove(lot);
    lot.lane = undefined;
  }

  /** The first `count` lots in order, suspects not counted: as many of those come on top. */
  peek(count: number): Lot[] {
    const lots = this.#lots.peek(count);
    if (this.#suspects.size === 0) return lots;
    const all = [...this.#suspects.peek(count), ...lots];
    return all.toSorted((one, other) => (this.isBefore(one, other) ? -1 : 1));
  }

  #heapOf({ kind }: Lot): IndexedHeap<Lot> {
    return kind === "suspected" ? this.#suspects : this.#lots;
  }
}

export function laneKey({ priorityClass, priority }: Priority, hasDeadlines: boolean): string {
  return hasDeadlines ? `${priorityClass} by deadline` : `${priorityClass} at ${priority}`;
}

function isOlder(one: Lot, other: Lot): boolean {
  const [isOneFresh, isOtherFresh] = [one.kind === "fresh", other.kind === "fresh"];
  if (isOneFresh !== isOtherFresh) return isOtherFresh;
  return one.order < other.order || (one.order === other.order && one.key < other.key);
}

function isDueBefore(one: Lot, other: Lot): boolean {
  if (one.deadlineAt !== other.deadlineAt) return one.deadlineAt < other.deadlineAt;
  return isOlder(one, other);
}
