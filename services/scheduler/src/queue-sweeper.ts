/**
 * Removes messages from QUEUE that no task needs any more. A removal is the dearest thing that the
 * farm asks of the broker, about three times a publish. So only while few tasks end do they go one
 * by one and at once; else they are gathered, and everything older than the oldest message that is
 * needed goes in one request. That is safe whoever leads: what is older was seen, and has ended.
 */
import type { Revision, StoredTask, TaskQueue } from "@zfarm/broker";
import { limits, type TaskId, taskIdOf } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

interface QueueSweeperNeeds {
  readonly queue: Pick<TaskQueue, "remove" | "removeBefore">;
  readonly clock: Clock;
  /** Aborts when this leader must not write any more. */
  readonly over: AbortSignal;
  /** Does a write until it is done or the term is over. */
  readonly write: (work: () => Promise<void>) => Promise<void>;
}

/** A message that holds several tasks of one job. */
interface Bundle {
  readonly first: TaskId;
  readonly indexes: number[];
  /** How many of them need it. */
  left: number;
}

export class QueueSweeper {
  readonly #needs: QueueSweeperNeeds;
  /**
   * Messages that a task needs, oldest first: a follower sees them in order. Revisions are numbers
   * here, which a map finds in half the time.
   */
  readonly #live = new Map<number, Bundle | undefined>();
  /** Since when bundles are no longer whole, oldest first. */
  readonly #thinSince = new Map<number, number>();
  readonly #ended = new Set<number>();
  #newest: Revision = 0n;
  #working: Promise<void> | undefined;
  #window = { endsAt: 0, removed: 0 };

  constructor(needs: QueueSweeperNeeds) {
    this.#needs = needs;
  }

  /** A task was read from the log. */
  saw({ revision, isBundled, task }: StoredTask): void {
    const message = Number(revision);
    if (revision > this.#newest) this.#newest = revision;
    if (this.#ended.has(message)) return;
    if (!isBundled || task.spec === undefined) {
      this.#live.set(message, undefined);
      return;
    }
    const known = this.#live.get(message);
    const bundle = known ?? { first: taskIdOf(task.spec), indexes: [], left: 0 };
    bundle.indexes.push(task.spec.index);
    bundle.left += 1;
    if (known === undefined) this.#live.set(message, bundle);
  }

  /** A newer message took the place of this one. */
  forget(revision: Revision): void {
    this.#live.delete(Number(revision));
  }

  /** A task needs the message no more; the last one's word removes it. */
  leave(revision: Revision): void {
    const message = Number(revision);
    const bundle = this.#live.get(message);
    if (bundle !== undefined && bundle.left > 1) {
      bundle.left -= 1;
      if (!this.#thinSince.has(message)) {
        this.#thinSince.set(message, this.#needs.clock.monotonic());
      }
      return;
    }
    this.#thinSince.delete(message);
    this.#live.delete(message);
    this.#ended.add(message);
    this.#working ??= this.#work();
  }

  /**
   * The tasks of some bundles of which others ended long ago. An outcome is kept for a week only,
   * and a bundle must not outlive the outcomes of its tasks: a new leader would render them again.
   */
  outlived(): TaskId[][] {
    const until = this.#needs.clock.monotonic() - limits.bundleThinMs;
    const old = [...this.#thinSince].filter(([, since]) => since <= until);
    return old.slice(0, limits.bundlesSplitMax).map(([message]) => {
      const bundle = this.#live.get(message);
      return bundle?.indexes.map((index) => ({ ...bundle.first, index })) ?? [];
    });
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
    const [oldest] = this.#live.keys();
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
