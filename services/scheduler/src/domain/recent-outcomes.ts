/**
 * Remembers which tasks ended lately. Tasks and outcomes travel in two logs, so an outcome can
 * overtake its task, and a retried create can store a task again whose outcome exists.
 */
import type { TaskId } from "@zfarm/contract";

/** Indexes of ended tasks, by job: those of a job end near each other. One alone has no set. */
type Ended = Map<string, number | Set<number>>;

/** Forgets many at a time: a set that loses one for each that comes is built anew all the time. */
export class RecentOutcomes {
  readonly #capacity: number;
  #newest: Ended = new Map();
  #newestSize = 0;
  #older: Ended = new Map();

  /** @param capacity So many are remembered at least, and at most twice as many. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(id: TaskId): boolean {
    return this.#isKnown(keyOf(id), id.index);
  }

  /** Remembers the task, and says whether it is new. */
  add(id: TaskId): boolean {
    const job = keyOf(id);
    if (this.#isKnown(job, id.index)) return false;
    if (this.#newestSize === this.#capacity) {
      this.#older = this.#newest;
      this.#newest = new Map();
      this.#newestSize = 0;
    }
    const known = this.#newest.get(job);
    if (known === undefined) this.#newest.set(job, id.index);
    else if (typeof known === "number") this.#newest.set(job, new Set([known, id.index]));
    else known.add(id.index);
    this.#newestSize += 1;
    return true;
  }

  #isKnown(job: string, index: number): boolean {
    return includes(this.#newest.get(job), index) || includes(this.#older.get(job), index);
  }
}

function includes(known: number | Set<number> | undefined, index: number): boolean {
  return typeof known === "object" ? known.has(index) : known === index;
}

function keyOf({ project, job }: TaskId): string {
  return `${project}.${job}`;
}
