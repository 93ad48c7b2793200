/**
 * Runs writes to the broker in the background: those of one task one after another, those of
 * different tasks side by side, up to a bound. What waits here is bounded by the live tasks,
 * each of which has at most a few writes under way.
 */
import type { TaskKey } from "@zfarm/contract";

export class TaskLanes {
  readonly #tails: Promise<void>[];

  constructor(lanes: number) {
    this.#tails = Array.from({ length: lanes }, () => Promise.resolve());
  }

  /** Queues work behind earlier work of the same task. The work must not reject. */
  push(key: TaskKey, work: () => Promise<void>): void {
    const lane = hash(key) % this.#tails.length;
    const tail = this.#tails[lane] ?? Promise.resolve();
    this.#tails[lane] = tail.then(work);
  }

  /** Settles when everything that was pushed before has run. */
  async drained(): Promise<void> {
    await Promise.all(this.#tails);
  }
}

/** FNV-1a over the key: spreads the tasks of one job over the lanes. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
