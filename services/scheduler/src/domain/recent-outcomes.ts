/**
 * Remembers which tasks ended lately. Tasks and outcomes travel in two logs, so an outcome can
 * overtake its task, and a retried create can store a task again whose outcome exists.
 */
import type { TaskKey } from "@zfarm/contract";

/** Forgets many at a time: a set that loses one for each that comes is built anew all the time. */
export class RecentOutcomes {
  readonly #capacity: number;
  #newest = new Set<TaskKey>();
  #older: ReadonlySet<TaskKey> = new Set();

  /** @param capacity So many are remembered at least, and at most twice as many. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(key: TaskKey): boolean {
    return this.#newest.has(key) || this.#older.has(key);
  }

  /** Remembers the key, and says whether it is new. */
  add(key: TaskKey): boolean {
    if (this.has(key)) return false;
    if (this.#newest.size >= this.#capacity) {
      this.#older = this.#newest;
      this.#newest = new Set();
    }
    this.#newest.add(key);
    return true;
  }
}
