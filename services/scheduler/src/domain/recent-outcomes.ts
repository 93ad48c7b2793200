/**
 * Remembers which tasks ended lately. Tasks and outcomes travel in two logs, so an outcome can
 * overtake its task, and a retried create can store a task again whose outcome exists.
 */
import type { TaskKey } from "@zfarm/contract";

export class RecentOutcomes {
  readonly #keys = new Set<TaskKey>();
  readonly #ring: TaskKey[] = [];
  readonly #capacity: number;
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(key: TaskKey): boolean {
    return this.#keys.has(key);
  }

  /** Remembers the key, and says whether it is new; beyond the capacity the oldest one goes. */
  add(key: TaskKey): boolean {
    if (this.#keys.has(key)) return false;
    const oldest = this.#ring[this.#next];
    if (oldest !== undefined) this.#keys.delete(oldest);
    this.#ring[this.#next] = key;
    this.#next = (this.#next + 1) % this.#capacity;
    this.#keys.add(key);
    return true;
  }
}
