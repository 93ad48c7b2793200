/**
 * The log of outcomes as the leader of a farm with manifests asks it: whoever looks for an outcome
 * that the broker lost is given its copy, which is published again first. A leader looks before it
 * grants what was there before it, and when a lease ends in silence: so a broker that comes back
 * without its newest writes makes nobody draw again what was told to be done.
 */
import type { BlobStore } from "@zfarm/blobs";
import {
  type CopyReader,
  findCopies,
  findCopiesUnder,
  findCopy,
  type OutcomeLog,
  type StoredOutcome,
} from "@zfarm/broker";
import {
  FarmError,
  type JobRef,
  limits,
  type Outcome,
  type TaskId,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import { type Clock, forEachBounded, type Log } from "@zfarm/runtime";
import { planListings } from "./plan-listings.ts";

interface LostOutcomesNeeds {
  readonly blobs: Pick<BlobStore, "kind" | "get" | "list">;
  readonly clock: Clock;
  readonly log: Log;
}

export class LostOutcomes implements OutcomeLog {
  /** As the broker has them. */
  readonly standing: OutcomeLog;
  readonly #needs: LostOutcomesNeeds;
  readonly #reader: CopyReader & Pick<BlobStore, "kind">;
  /** What the store has told so far: while it grows, the store is there. */
  #told = 0;
  /** A store that is away costs the leader one wait, and not one for each task. */
  #awayUntilMs = Number.NEGATIVE_INFINITY;

  constructor(outcomes: OutcomeLog, needs: LostOutcomesNeeds) {
    this.standing = outcomes;
    this.#needs = needs;
    this.#reader = this.#countingReader(needs.blobs);
  }

  async find(id: TaskId): Promise<StoredOutcome | undefined> {
    const standing = await this.standing.find(id);
    if (standing !== undefined) return standing;
    const copy = await this.#ask(() => findCopy(this.#reader, id));
    return copy && (await this.#restore(id, copy));
  }

  async list(job: JobRef): Promise<StoredOutcome[]> {
    const listed = await this.standing.list(job);
    const ended = new Set(listed.map(({ outcome }) => outcome.spec?.index));
    const isOpen = (index: number): boolean => !ended.has(index);
    const lost = (await this.#ask(() => findCopies(this.#reader, job, isOpen))) ?? [];
    await forEachBounded(lost, limits.reconcileParallel, async ([index, copy]) => {
      const stored = await this.#restore(taskIdOf({ ...job, index }), copy);
      if (stored !== undefined) listed.push(stored);
    });
    return listed;
  }

  /** Puts back the lost ones of many tasks of which the broker has none; gives what stands then. */
  async restoreAll(ids: readonly TaskId[], ended: AbortSignal): Promise<StoredOutcome[]> {
    const open = new Set(ids.map(taskKey));
    const isOpen = (id: TaskId): boolean => open.has(taskKey(id));
    const restored: StoredOutcome[] = [];
    const plan = await this.#ask(() => planListings(this.#reader, ids));
    await forEachBounded(plan ?? [], limits.reconcileParallel, async (prefix) => {
      if (ended.aborted) return;
      const lost = await this.#ask(() => findCopiesUnder(this.#reader, prefix, isOpen));
      for (const copy of lost ?? []) {
        if (copy.spec === undefined) continue;
        const stored = await this.#restore(taskIdOf(copy.spec), copy);
        if (stored !== undefined) restored.push(stored);
      }
    });
    return restored;
  }

  /** Too many, whatever the bound: nobody may be content with what the broker has. */
  async listProject(): Promise<undefined> {
    return undefined;
  }

  publish(outcome: Outcome): Promise<"won" | "lost"> {
    return this.standing.publish(outcome);
  }

  lastRevision(): Promise<bigint> {
    return this.standing.lastRevision();
  }

  follow(options: Parameters<OutcomeLog["follow"]>[0]): ReturnType<OutcomeLog["follow"]> {
    return this.standing.follow(options);
  }

  /** What stands then: whoever was faster may have published another. */
  async #restore(id: TaskId, copy: Outcome): Promise<StoredOutcome | undefined> {
    const told = await this.standing.publish(copy);
    const { project, job, index } = id;
    if (told === "won") {
      this.#needs.log.warn({ project, job_id: job, index }, "lost outcome restored");
    }
    return await this.standing.find(id);
  }

  /** Trouble of the store is no reason not to lead: the rounds over the manifests look again. */
  async #ask<T>(look: () => Promise<T>): Promise<T | undefined> {
    const { clock, log } = this.#needs;
    if (clock.monotonic() < this.#awayUntilMs) return undefined;
    const over = new AbortController();
    const looking = look();
    try {
      return await Promise.race([looking, this.#untilStalled(over.signal)]);
    } catch (error) {
      if (!(error instanceof FarmError) || error.code !== "STORE_UNAVAILABLE") throw error;
      // What it still comes to is nobody's business any more.
      looking.catch(() => undefined);
      if (clock.monotonic() < this.#awayUntilMs) return undefined;
      this.#awayUntilMs = clock.monotonic() + limits.copiesAskAgainMs;
      log.warn({ error }, "copies of outcomes cannot be looked for");
      return undefined;
    } finally {
      over.abort();
    }
  }

  /** A store that hangs is noticed long before its requests give up. */
  async #untilStalled(stop: AbortSignal): Promise<undefined> {
    for (let seen = -1; seen !== this.#told && !stop.aborted; ) {
      seen = this.#told;
      await this.#needs.clock.sleep(limits.copiesStallMs, stop);
    }
    if (stop.aborted) return undefined;
    throw new FarmError("STORE_UNAVAILABLE", "object store: it says nothing");
  }

  #countingReader(blobs: LostOutcomesNeeds["blobs"]): CopyReader & Pick<BlobStore, "kind"> {
    const heard = (): void => {
      this.#told += 1;
    };
    return {
      kind: blobs.kind,
      get: async (key) => {
        const bytes = await blobs.get(key);
        heard();
        return bytes;
      },
      async *list(prefix) {
        for await (const found of blobs.list(prefix)) {
          heard();
          yield found;
        }
        heard();
      },
    };
  }
}
