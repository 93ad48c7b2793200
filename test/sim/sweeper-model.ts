/**
 * How a term removes messages that no task needs any more from the queue: one by one while they are
 * few, else everything older than the oldest live one at once. Mirrors
 * services/scheduler/src/queue-sweeper.ts, with smaller numbers, so that a simulated farm comes to
 * sweep at all, and to take bundles apart.
 */
import { type TaskId, taskIdOf } from "@zfarm/contract";
import { type Kernel, type Proc, type Routine, wait } from "./kernel.ts";
import type { QueuedEntry } from "./queue-model.ts";

const sweepMin = 12;
const singlesMax = 6;
const everyMs = 100;
const parallel = 4;
/** A bundle that is no longer whole for so long is taken apart. */
const thinMs = 4_000;

interface Bundle {
  readonly ids: TaskId[];
  left: number;
  thinSince: number | undefined;
}

interface SweeperNeeds {
  readonly kernel: Kernel;
  readonly proc: Proc;
  readonly isOver: () => boolean;
  readonly remove: (revision: bigint) => Routine;
  readonly removeBefore: (revision: bigint) => Routine;
}

export class SweeperModel {
  readonly #needs: SweeperNeeds;
  /** Messages that a task needs, oldest first. */
  readonly #live = new Map<bigint, Bundle>();
  readonly #ended = new Set<bigint>();
  #newest = 0n;
  #isWorking = false;
  #windowEndsAt = 0;
  #removed = 0;

  constructor(needs: SweeperNeeds) {
    this.#needs = needs;
  }

  get isIdle(): boolean {
    return !this.#isWorking;
  }

  saw({ revision, task }: QueuedEntry): void {
    if (revision > this.#newest) this.#newest = revision;
    if (this.#ended.has(revision) || task.spec === undefined) return;
    const bundle = this.#live.get(revision) ?? { ids: [], left: 0, thinSince: undefined };
    bundle.ids.push(taskIdOf(task.spec));
    bundle.left += 1;
    this.#live.set(revision, bundle);
  }

  forget(revision: bigint): void {
    this.#live.delete(revision);
  }

  /** Tasks of bundles of which others left long ago. */
  outlived(): TaskId[][] {
    const { now } = this.#needs.kernel;
    return [...this.#live.values()].flatMap(({ ids, thinSince }) =>
      thinSince !== undefined && thinSince + thinMs <= now ? [ids] : [],
    );
  }

  leave(revision: bigint): void {
    const bundle = this.#live.get(revision);
    if (bundle !== undefined && bundle.left > 1) {
      bundle.left -= 1;
      bundle.thinSince ??= this.#needs.kernel.now;
      return;
    }
    this.#live.delete(revision);
    this.#ended.add(revision);
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#needs.kernel.spawn(this.#needs.proc, this.#work());
  }

  *#work(): Routine {
    const { kernel, proc, isOver } = this.#needs;
    while (this.#ended.size > 0 && !isOver()) {
      if (kernel.now >= this.#windowEndsAt) {
        this.#windowEndsAt = kernel.now + everyMs;
        this.#removed = 0;
      }
      const left = singlesMax - this.#removed;
      if (left <= 0) yield* kernel.sleep(proc, this.#windowEndsAt - kernel.now);
      else if (this.#ended.size < sweepMin) yield* this.#removeSome(left);
      else yield* this.#sweep();
    }
    this.#isWorking = false;
  }

  *#sweep(): Routine {
    const [oldestLive = this.#newest + 1n] = this.#live.keys();
    const before = [...this.#ended].filter((revision) => revision < oldestLive);
    if (before.length < sweepMin / 2) {
      yield* this.#removeSome(parallel);
      return;
    }
    yield* this.#needs.removeBefore(oldestLive);
    for (const revision of before) this.#ended.delete(revision);
    this.#removed = singlesMax;
  }

  *#removeSome(max: number): Routine {
    const { kernel, proc, remove } = this.#needs;
    const some = [...this.#ended].slice(0, Math.min(max, parallel));
    yield* wait<void>((resume) => {
      let left = some.length;
      const removeOne = function* (revision: bigint): Routine {
        yield* remove(revision);
        left -= 1;
        if (left === 0) resume();
      };
      for (const revision of some) kernel.spawn(proc, removeOne(revision));
    });
    for (const revision of some) this.#ended.delete(revision);
    if (this.#ended.size < sweepMin) this.#removed += some.length;
  }
}
