/**
 * Whether a task kills its workers. One crash proves nothing: the worker may have been about to
 * die. So a task that was there when a worker crashed is tried elsewhere, and is poison once it
 * has seen enough of them die. Tasks that have seen no crash need no history.
 */
import { type Crashes, limits, type WorkerId } from "@zfarm/contract";

export class CrashHistory {
  /** Distinct; a few, since crashes are bounded. */
  readonly #workers: WorkerId[] = [];
  #crashes = 0;

  get crashes(): number {
    return this.#crashes;
  }

  /** Distinct workers that crashed under the task. */
  get workers(): readonly WorkerId[] {
    return this.#workers;
  }

  /** The worker died, or its engine did, while it had the task. */
  noteCrash(worker: WorkerId): void {
    this.#crashes += 1;
    const isNew = !this.#workers.includes(worker);
    if (isNew && this.#workers.length < limits.taskCrashesMax) this.#workers.push(worker);
  }

  /** As the task's message carries it from leader to leader; absent before the first. */
  get record(): Crashes | undefined {
    if (this.#crashes === 0) return undefined;
    return { count: this.#crashes, workers: [...this.#workers] };
  }

  /** Takes what an earlier leader wrote; crashes are never forgotten. */
  restore({ count, workers }: Crashes): void {
    this.#crashes = Math.max(this.#crashes, count);
    for (const worker of workers.slice(0, limits.taskCrashesMax)) {
      if (!this.#workers.includes(worker as WorkerId)) this.#workers.push(worker as WorkerId);
    }
  }

  /**
   * Whether the task is to blame: enough distinct workers died where the pool has so many. A
   * smaller pool cannot show that, and there every crash counts. No more workers are looked at than
   * it takes: a rack that dies is a crash for each of its tasks.
   */
  isPoison(serving: Iterable<unknown>): boolean {
    if (this.#crashes >= limits.taskCrashesMax) return true;
    if (this.#crashes < limits.poisonCrashes) return false;
    return this.#workers.length >= limits.poisonCrashes || !hasMany(serving);
  }

  /** Whether the task should go to another worker, as long as one serves that it has not met. */
  avoids(worker: WorkerId, serving: Iterable<{ readonly id: WorkerId }>): boolean {
    if (!this.#workers.includes(worker)) return false;
    for (const { id } of serving) if (!this.#workers.includes(id)) return true;
    return false;
  }
}

function hasMany(serving: Iterable<unknown>): boolean {
  let count = 0;
  for (const _ of serving) {
    count += 1;
    if (count === limits.poisonCrashes) return true;
  }
  return false;
}
