/**
 * The log of outcomes as the leader of a farm with manifests asks it: whoever looks for an outcome
 * that the broker lost is given its copy, which is published again first. A leader looks before it
 * grants what was there before it, and when a lease ends in silence: so a broker that comes back
 * without its newest writes makes nobody draw again what was told to be done.
 */
import type { BlobStore } from "@zfarm/blobs";
import { findCopies, findCopy, type OutcomeLog, type StoredOutcome } from "@zfarm/broker";
import {
  FarmError,
  type JobRef,
  limits,
  type Outcome,
  type TaskId,
  taskIdOf,
} from "@zfarm/contract";
import { type Clock, forEachBounded, type Log } from "@zfarm/runtime";

interface LostOutcomesNeeds {
  readonly blobs: Pick<BlobStore, "get" | "list">;
  readonly clock: Clock;
  readonly log: Log;
}

export class LostOutcomes implements OutcomeLog {
  readonly #outcomes: OutcomeLog;
  readonly #needs: LostOutcomesNeeds;
  /** A store that is away costs the leader one wait, and not one for each task. */
  #awayUntilMs = Number.NEGATIVE_INFINITY;

  constructor(outcomes: OutcomeLog, needs: LostOutcomesNeeds) {
    this.#outcomes = outcomes;
    this.#needs = needs;
  }

  async find(id: TaskId): Promise<StoredOutcome | undefined> {
    const standing = await this.#outcomes.find(id);
    if (standing !== undefined) return standing;
    const copy = await this.#ask(() => findCopy(this.#needs.blobs, id));
    return copy && (await this.#restore(id, copy));
  }

  async list(job: JobRef): Promise<StoredOutcome[]> {
    const listed = await this.#outcomes.list(job);
    const ended = new Set(listed.map(({ outcome }) => outcome.spec?.index));
    const isOpen = (index: number): boolean => !ended.has(index);
    const lost = (await this.#ask(() => findCopies(this.#needs.blobs, job, isOpen))) ?? [];
    await forEachBounded(lost, limits.reconcileParallel, async ([index, copy]) => {
      const stored = await this.#restore(taskIdOf({ ...job, index }), copy);
      if (stored !== undefined) listed.push(stored);
    });
    return listed;
  }

  /** Too many, whatever the bound: nobody may be content with what the broker has. */
  async listProject(): Promise<undefined> {
    return undefined;
  }

  publish(outcome: Outcome): Promise<"won" | "lost"> {
    return this.#outcomes.publish(outcome);
  }

  lastRevision(): Promise<bigint> {
    return this.#outcomes.lastRevision();
  }

  follow(options: Parameters<OutcomeLog["follow"]>[0]): ReturnType<OutcomeLog["follow"]> {
    return this.#outcomes.follow(options);
  }

  /** What stands then: whoever was faster may have published another. */
  async #restore(id: TaskId, copy: Outcome): Promise<StoredOutcome | undefined> {
    const told = await this.#outcomes.publish(copy);
    const { project, job, index } = id;
    if (told === "won") {
      this.#needs.log.warn({ project, job_id: job, index }, "lost outcome restored");
    }
    return await this.#outcomes.find(id);
  }

  /** Trouble of the store is no reason not to lead: the rounds over the manifests look again. */
  async #ask<T>(look: () => Promise<T>): Promise<T | undefined> {
    const { clock, log } = this.#needs;
    if (clock.monotonic() < this.#awayUntilMs) return undefined;
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof FarmError) || error.code !== "STORE_UNAVAILABLE") throw error;
      this.#awayUntilMs = clock.monotonic() + limits.copiesAskAgainMs;
      log.warn({ error }, "copies of outcomes cannot be looked for");
      return undefined;
    }
  }
}
