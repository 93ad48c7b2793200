/**
 * What people want of jobs, projects, pools and workers, told to the core: all of it before the
 * first task of a term is, so that no task starts that was held back before.
 */
import type { StoredPolicy } from "@zfarm/broker";
import { type JobControl, type JobRef, taskIdOf } from "@zfarm/contract";
import { taskOf } from "./check-message.ts";
import type { Decider } from "./decider.ts";
import type { SchedulerEvent } from "./domain/scheduler-event.ts";

export type WishesNeeds = Pick<Decider, "needs" | "ended" | "decide" | "scheduler">;

export class Wishes {
  readonly #decider: WishesNeeds;
  readonly #controlsTold = Promise.withResolvers<void>();
  readonly #policiesTold = Promise.withResolvers<void>();
  /** Jobs that fail as a whole after so many failed tasks. */
  readonly #budgeted = new Set<string>();
  #serving = false;

  constructor(decider: WishesNeeds) {
    this.#decider = decider;
    // Whoever waits for wishes must not wait longer than the term.
    const release = (): void => {
      this.#controlsTold.resolve();
      this.#policiesTold.resolve();
    };
    if (decider.ended.aborted) release();
    decider.ended.addEventListener("abort", release, { once: true });
  }

  /** Resolves once every wish of before the term is told, or the term has ended. */
  async told(): Promise<void> {
    await Promise.all([this.#controlsTold.promise, this.#policiesTold.promise]);
    this.#serving = true;
  }

  /** Whether failed tasks of the job are counted, also those of before the term. */
  isBudgeted(job: JobRef): boolean {
    return this.#budgeted.has(keyOf(job));
  }

  async followControls(): Promise<void> {
    const { needs, ended } = this.#decider;
    for await (const followed of needs.broker.controls.follow(ended)) {
      if (followed.kind === "caught-up") this.#controlsTold.resolve();
      else for (const { control } of followed.entries) await this.#tellControl(control);
    }
  }

  async followPolicies(): Promise<void> {
    const { needs, ended } = this.#decider;
    for await (const followed of needs.broker.policies.follow(ended)) {
      if (followed.kind === "caught-up") this.#policiesTold.resolve();
      else for (const stored of followed.entries) this.#decider.decide(policyEvent(stored));
    }
  }

  async #tellControl(control: JobControl): Promise<void> {
    this.#decider.decide({ kind: "job-controlled", control });
    const job = taskIdOf({ ...control, index: 0 });
    if ((control.scheduling?.maxFailedTasks ?? 0) === 0 || this.isBudgeted(job)) return;
    this.#budgeted.add(keyOf(job));
    // Of a new job the control comes first and nothing can have failed; the rebuild sees to those
    // that were there before the term.
    const isLate = this.#serving && this.#decider.scheduler.describeJob(job).length > 0;
    if (isLate) await this.#tellOutcomes(job);
  }

  /** A budget that a running job gets counts what has failed already. */
  async #tellOutcomes(job: JobRef): Promise<void> {
    for (const { outcome } of await this.#decider.needs.broker.outcomes.list(job)) {
      const id = taskOf(outcome);
      if (id !== undefined) this.#decider.decide({ kind: "outcome-seen", id, outcome });
    }
  }
}

function policyEvent(stored: StoredPolicy): SchedulerEvent {
  switch (stored.kind) {
    case "project":
      return { kind: "project-policy", policy: stored.policy };
    case "pool":
      return { kind: "pool-policy", policy: stored.policy };
    case "worker":
      return { kind: "worker-policy", policy: stored.policy };
  }
}

function keyOf(job: JobRef): string {
  return `${job.project}.${job.job}`;
}
