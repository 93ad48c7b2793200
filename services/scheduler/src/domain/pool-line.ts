/**
 * The line of one pool: lots whose tasks could be granted now, in the order of fair shares, and
 * found by shape and by adapter for those that may go along with the one whose turn it is.
 */
import { limits, type PoolId } from "@zfarm/contract";
import { LinkedList, type ListNode } from "./linked-list.ts";
import type { Lot } from "./lot.ts";
import type { ProjectEntry } from "./project-entry.ts";
import { ProjectLine } from "./project-line.ts";
import { StrideLine, type StrideMember } from "./stride-line.ts";

export class PoolLine {
  readonly #pool: PoolId;
  readonly #projects = new Map<ProjectEntry, ProjectLine>();
  readonly #fair = new StrideLine<ProjectLine>();
  /** Projects that run less than they are guaranteed; operators guarantee to a few. */
  readonly #owed = new Set<ProjectLine>();
  readonly #shapes = new LotIndex();
  readonly #adapters = new LotIndex();
  /** Lots that wait for a reason of their own: suspected, or held for a bounded moment. */
  readonly #apart = new Set<Lot>();
  /** Tasks in the line. */
  size = 0;

  constructor(pool: PoolId) {
    this.#pool = pool;
  }

  add(lot: Lot): void {
    const line = this.lineOf(lot.job.project);
    line.add(lot);
    this.size += lot.size;
    this.#shapes.add(lot.shape, lot.shapeNode);
    const [adapter] = lot.adapters;
    if (adapter !== undefined) this.#adapters.add(adapter.digest, lot.stackNode);
    if (lot.kind === "suspected" || lot.holdUntil > 0) this.#apart.add(lot);
    this.refresh(line);
  }

  /** Harmless when it is not in the line. */
  remove(lot: Lot): void {
    if (lot.lane === undefined) return;
    const line = this.lineOf(lot.job.project);
    line.remove(lot);
    this.size -= lot.size;
    this.#shapes.remove(lot.shape, lot.shapeNode);
    const [adapter] = lot.adapters;
    if (adapter !== undefined) this.#adapters.remove(adapter.digest, lot.stackNode);
    this.#apart.delete(lot);
    this.refresh(line);
  }

  /** The lot in the line waits for a reason of its own from now on. */
  setApart(lot: Lot): void {
    this.#apart.add(lot);
  }

  get apart(): Iterable<Lot> {
    return this.#apart;
  }

  /** When the next bounded wait after `now` ends; forgets those that are over. */
  nextHoldEnd(now: number): number | undefined {
    let next: number | undefined;
    for (const lot of this.#apart) {
      if (lot.holdUntil > now) next = Math.min(next ?? lot.holdUntil, lot.holdUntil);
      else if (lot.kind !== "suspected") this.#apart.delete(lot);
    }
    return next;
  }

  /** A lot in the line has grown or shrunk. */
  resized(lot: Lot, by: number): void {
    this.size += by;
    this.lineOf(lot.job.project).waiting += by;
    lot.lane?.reorder(lot);
  }

  lineOf(project: ProjectEntry): ProjectLine {
    let line = this.#projects.get(project);
    if (line === undefined) {
      line = new ProjectLine(project, this.#pool);
      this.#projects.set(project, line);
      project.lines.add(line);
    }
    return line;
  }

  get projects(): IterableIterator<ProjectLine> {
    return this.#projects.values();
  }

  /** Whether a project may be served changes with what it has waiting and what it runs. */
  refresh(line: ProjectLine): void {
    const { running, burst, guarantee } = line.project;
    const isServed = line.waiting > 0 && running < burst;
    if (isServed) this.#fair.add(line.turn);
    else this.#fair.remove(line.turn);
    if (isServed && running < guarantee) this.#owed.add(line);
    else this.#owed.delete(line);
  }

  /** What a task costs its project and its lane; a correction, without a wait, may be negative. */
  charge(lot: Lot, costMs: number, waitedMs?: number): void {
    const line = this.lineOf(lot.job.project);
    line.charge(lot, costMs, waitedMs);
    line.turn.rate = line.project.weight;
    this.#fair.charge(line.turn, costMs);
  }

  /** How far the project is ahead of the one that is next, in device milliseconds per weight. */
  leadOf(lot: Lot): number {
    const { pass } = this.lineOf(lot.job.project).turn;
    return pass - (this.#fair.first?.pass ?? pass);
  }

  /** The pass of the project that is next. */
  get nextPass(): number | undefined {
    return this.#fair.first?.pass;
  }

  /** Projects that may be served, by their passes. */
  turns(count: number): StrideMember<ProjectLine>[] {
    return this.#fair.peek(count);
  }

  /** Whether the lot's project may be served now at all. */
  isServed(lot: Lot): boolean {
    return this.lineOf(lot.job.project).turn.isIn;
  }

  /** Lots in the order in which they come: owed projects, then fair shares. */
  *heads(count: number): IterableIterator<Lot> {
    let left = count;
    for (const line of this.ordered(count)) {
      for (const lot of line.lots(limits.placementLotsMax)) {
        if (left === 0) return;
        left -= 1;
        yield lot;
      }
    }
  }

  /** Projects that may be served, the next one first. */
  *ordered(count: number): IterableIterator<ProjectLine> {
    if (this.#owed.size > 0) yield* [...this.#owed].toSorted(byShareOfGuarantee);
    for (const { target: line } of this.#fair.peek(count)) if (!this.#owed.has(line)) yield line;
  }

  ofShape(shape: string): Iterable<Lot> {
    return this.#shapes.lots(shape);
  }

  countOfShape(shape: string): number {
    let count = 0;
    for (const lot of this.#shapes.lots(shape)) {
      count += lot.size;
      if (count >= limits.batchTasksMax) break;
    }
    return count;
  }

  /** Lots whose first adapter this is. */
  ofAdapter(digest: string): Iterable<Lot> {
    return this.#adapters.lots(digest);
  }

  /** Whether a task that waits needs the adapter first of all. */
  wants(digest: string): boolean {
    return this.#adapters.has(digest);
  }

  /** Entries of its tables. */
  get sizes(): { projects: number; shapes: number; adapters: number; apart: number } {
    const { size: shapes } = this.#shapes;
    const { size: adapters } = this.#adapters;
    return { projects: this.#projects.size, shapes, adapters, apart: this.#apart.size };
  }

  /** Lets lanes age; forgets projects without tasks, once they owe nothing. */
  sweep(elapsedMs: number): void {
    for (const line of this.#projects.values()) {
      line.age(elapsedMs);
      if (line.live > 0 || (this.size > 0 && line.turn.pass > this.#fair.virtualTime)) continue;
      this.#projects.delete(line.project);
      line.project.lines.delete(line);
    }
  }
}

/** Lots by a word, oldest first. */
class LotIndex {
  readonly #lists = new Map<string, LinkedList<Lot>>();

  add(word: string, node: ListNode<Lot>): void {
    let list = this.#lists.get(word);
    if (list === undefined) {
      list = new LinkedList<Lot>();
      this.#lists.set(word, list);
    }
    list.pushBack(node);
  }

  /** Empty lists leave at once: shapes and adapters are without number. */
  remove(word: string, node: ListNode<Lot>): void {
    const { list } = node;
    list?.remove(node);
    if (list?.size === 0) this.#lists.delete(word);
  }

  get size(): number {
    return this.#lists.size;
  }

  has(word: string): boolean {
    return this.#lists.has(word);
  }

  lots(word: string): Iterable<Lot> {
    return this.#lists.get(word) ?? [];
  }
}

function byShareOfGuarantee(one: ProjectLine, other: ProjectLine): number {
  const shareOf = ({ project }: ProjectLine) => project.running / project.guarantee;
  return shareOf(one) - shareOf(other) || one.turn.pass - other.turn.pass;
}
