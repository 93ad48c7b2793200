/**
 * The line of one pool: who is next. Projects take turns; inside a project retried tasks come
 * first and then the oldest. The task whose turn it is fixes the shape of a grant, and the rest
 * of the grant is filled with that shape, one task of each project in turn.
 * Every operation is O(1) per task, however long the line is.
 */
import type { ProjectId } from "@zfarm/contract";
import { LinkedList, ListNode } from "./linked-list.ts";
import type { TaskEntry } from "./task-entry.ts";

/** Tasks in order: those that were tried before, then fresh ones, each oldest first. */
class TaskOrder {
  readonly #retried = new LinkedList<TaskEntry>();
  readonly #fresh = new LinkedList<TaskEntry>();

  get size(): number {
    return this.#retried.size + this.#fresh.size;
  }

  get first(): TaskEntry | undefined {
    return this.#retried.first ?? this.#fresh.first;
  }

  add(node: ListNode<TaskEntry>, place: LinePlace): void {
    (place === "front" ? this.#retried : this.#fresh).pushBack(node);
  }

  *[Symbol.iterator](): IterableIterator<TaskEntry> {
    yield* this.#retried;
    yield* this.#fresh;
  }
}

/** Fresh tasks queue at the back, retried ones go before all fresh ones. */
export type LinePlace = "front" | "back";

/** The tasks of one project and shape. */
export class ShapeLine {
  readonly project: ProjectLine;
  readonly tasks = new TaskOrder();
  readonly turn: ListNode<ShapeLine>;

  constructor(project: ProjectLine) {
    this.project = project;
    this.turn = new ListNode<ShapeLine>(this);
  }
}

class ProjectLine {
  readonly id: ProjectId;
  readonly tasks = new TaskOrder();
  readonly shapes = new Map<string, ShapeLine>();
  readonly turn: ListNode<ProjectLine>;

  constructor(id: ProjectId) {
    this.id = id;
    this.turn = new ListNode<ProjectLine>(this);
  }
}

export class PoolLine {
  readonly #projects = new Map<ProjectId, ProjectLine>();
  /** Projects with waiting tasks; the first one has the next turn. */
  readonly #turns = new LinkedList<ProjectLine>();
  /** By shape, the projects that have tasks of it. */
  readonly #shapeTurns = new Map<string, LinkedList<ShapeLine>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(entry: TaskEntry, place: LinePlace): void {
    const line = this.#openLine(entry);
    line.tasks.add(entry.shapeNode, place);
    line.project.tasks.add(entry.orderNode, place);
    entry.line = line;
    this.#size += 1;
  }

  /** Takes a task out, wherever it waits; harmless when it is in no line. */
  remove(entry: TaskEntry): void {
    const { line } = entry;
    if (line === undefined) return;
    const { project } = line;
    entry.shapeNode.list?.remove(entry.shapeNode);
    entry.orderNode.list?.remove(entry.orderNode);
    entry.line = undefined;
    this.#size -= 1;
    if (line.tasks.size === 0) this.#closeShape(line, entry.shape);
    if (project.tasks.size === 0) {
      project.turn.list?.remove(project.turn);
      this.#projects.delete(project.id);
    }
  }

  /** The next tasks to start together, at most `count`, all of one shape. */
  take(count: number): TaskEntry[] {
    const project = this.#turns.first;
    const shape = project?.tasks.first?.shape;
    const taken: TaskEntry[] = [];
    if (project === undefined || shape === undefined || count < 1) return taken;
    // The turn is used up whatever the rest of the grant holds: a project whose shape is rare is
    // never passed over, and one that fills the grants of others keeps its own turn.
    this.#turns.pushBack(project.turn);
    const turns = this.#shapeTurns.get(shape);
    let line = project.shapes.get(shape);
    while (turns !== undefined && line !== undefined && taken.length < count) {
      const entry = line.tasks.first;
      if (entry === undefined) break;
      turns.pushBack(line.turn);
      this.remove(entry);
      taken.push(entry);
      line = turns.first;
    }
    return taken;
  }

  /** The first tasks in the order in which they would start one by one. */
  *preview(count: number): IterableIterator<TaskEntry> {
    let left = count;
    let walks: IterableIterator<TaskEntry>[] = [];
    for (const project of this.#turns) {
      if (walks.length >= count) break;
      walks.push(project.tasks[Symbol.iterator]());
    }
    while (walks.length > 0) {
      const unfinished: IterableIterator<TaskEntry>[] = [];
      for (const walk of walks) {
        const next = walk.next();
        if (next.done === true) continue;
        if (left === 0) return;
        left -= 1;
        yield next.value;
        unfinished.push(walk);
      }
      walks = unfinished;
    }
  }

  /**
   * How many tasks would start before one that has just joined at the back, counted up to `max`;
   * undefined where it is in no line. O(max), without a walk over the tasks.
   */
  countBefore(newest: TaskEntry, max: number): number | undefined {
    const own = newest.line?.project;
    if (own === undefined) return undefined;
    // It starts in this round, and every project has at most one start in a round.
    const round = own.tasks.size - 1;
    // A project that it has opened has the last turn, so every other one starts a task before.
    if (round === 0) return Math.min(this.#projects.size - 1, max);
    let count = round;
    let share = round + 1;
    for (const project of this.#turns) {
      if (count >= max) break;
      if (project === own) share = round;
      else count += Math.min(project.tasks.size, share);
    }
    return Math.min(count, max);
  }

  /** The line of the task's project and shape; a new one gets the last turn. */
  #openLine(entry: TaskEntry): ShapeLine {
    let project = this.#projects.get(entry.id.project);
    if (project === undefined) {
      project = new ProjectLine(entry.id.project);
      this.#projects.set(project.id, project);
      this.#turns.pushBack(project.turn);
    }
    let line = project.shapes.get(entry.shape);
    if (line === undefined) {
      line = new ShapeLine(project);
      project.shapes.set(entry.shape, line);
      let turns = this.#shapeTurns.get(entry.shape);
      if (turns === undefined) {
        turns = new LinkedList<ShapeLine>();
        this.#shapeTurns.set(entry.shape, turns);
      }
      turns.pushBack(line.turn);
    }
    return line;
  }

  /** Empty lines leave at once: a turn must always find a task, and shapes are without number. */
  #closeShape(line: ShapeLine, shape: string): void {
    const turns = line.turn.list;
    turns?.remove(line.turn);
    if (turns?.size === 0) this.#shapeTurns.delete(shape);
    line.project.shapes.delete(shape);
  }
}
