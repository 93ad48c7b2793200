/**
 * Removes ended tasks from QUEUE. A removal is the dearest thing that the farm asks of the broker
 * for each task, about three times a publish. So only while few tasks end do they go one by one
 * and at once; else they are gathered, and everything older than the oldest live task goes in one
 * request. That is safe whoever leads: what is older was seen, and has ended.
 */
import type { Revision, TaskQueue } from "@zfarm/broker";
import { limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

interface QueueSweeperNeeds {
  readonly queue: Pick<TaskQueue, "remove" | "removeBefore">;
  readonly clock: Clock;
  /** Aborts when this leader must not write any more. */
  readonly over: AbortSignal;
  /** Does a write until it is done or the term is over. */
  readonly write: (work: () => Promise<void>) => Promise<void>;
}

export class QueueSweeper {
  readonly #needs: QueueSweeperNeeds;
  /**
   * Messages of tasks that have not ended, oldest first: a follower sees them in order. Revisions
   * are numbers here, which a set finds in half the time.
   */
  readonly #live = new Set<number>();
  readonly #ended = new Set<number>();
  #newest: Revision = 0n;
  #working: Promise<void> | undefined;
  #window = { endsAt: 0, removed: 0 };

  constructor(needs: QueueSweeperNeeds) {
    this.#needs = needs;
  }

  /** A message was read from the log. */
  saw(revision: Revision): void {
    if (revision > this.#newest) this.#newest = revision;
    if (!this.#ended.has(Number(revision))) this.#live.add(Number(revision));
  }

  /** A newer message took the place of this one. */
  forget(revision: Revision): void {
    this.#live.delete(Number(revision));
  }

  remove(revision: Revision): void {
    this.#live.delete(Number(revision));
    this.#ended.add(Number(revision));
    this.#working ??= this.#work();
  }

  /**
   * Removes what should have gone long ago: a broker that is killed may bring back the message
   * that a rewrite had replaced, after the newer one was removed, and nobody would see it.
   */
  async tidy(): Promise<void> {
    const { queue, write } = this.#needs;
    const oldestLive = this.#oldestLive();
    if (this.#newest > 0n) await write(() => queue.removeBefore(oldestLive));
  }

  /** Settles when nothing is left to remove, or the term is over. */
  async drained(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    const { clock, over } = this.#needs;
    while (this.#ended.size > 0 && !over.aborted) {
      const now = clock.monotonic();
      if (now >= this.#window.endsAt) {
        this.#window = { endsAt: now + limits.queueSweepEveryMs, removed: 0 };
      }
      const left = limits.queueSinglesMax - this.#window.removed;
      if (left <= 0) await clock.sleep(this.#window.endsAt - now, over);
      else if (this.#ended.size < limits.queueSweepMin) await this.#removeSome(left);
      else await this.#sweep();
    }
    this.#working = undefined;
  }

  /** Where an old task still lives, little may lie before it: then they go one by one after all. */
  async #sweep(): Promise<void> {
    const { queue, write } = this.#needs;
    const oldestLive = this.#oldestLive();
    const before = [...this.#ended].filter((revision) => revision < oldestLive);
    if (before.length < limits.queueSweepMin / 2) {
      await this.#removeSome(limits.schedulerLanes);
      return;
    }
    await write(() => queue.removeBefore(oldestLive));
    for (const revision of before) this.#ended.delete(revision);
    this.#window.removed = limits.queueSinglesMax;
  }

  /** Where none lives, what comes next. */
  #oldestLive(): Revision {
    const [oldest] = this.#live;
    return oldest === undefined ? this.#newest + 1n : BigInt(oldest);
  }

  async #removeSome(max: number): Promise<void> {
    const { queue, write } = this.#needs;
    const some = [...this.#ended.values().take(Math.min(max, limits.schedulerLanes))];
    await Promise.all(some.map((revision) => write(() => queue.remove(BigInt(revision)))));
    for (const revision of some) this.#ended.delete(revision);
    if (this.#ended.size < limits.queueSweepMin) this.#window.removed += some.length;
  }
}
