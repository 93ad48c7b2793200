/**
 * How many tasks of a project may wait. The policy is known from the log, the number that waits
 * from the leader, and what this gateway is storing right now it counts itself; so creates that
 * come at once through several gateways may together exceed the bound by what they store at once.
 * While nobody leads, nobody can count, and tasks are admitted.
 */
import type { Broker, StoredPolicy } from "@zfarm/broker";
import { FarmError, limits, type ProjectId, projectName } from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";

export interface ProjectQuotasNeeds {
  readonly broker: Pick<Broker, "policies" | "queries">;
  readonly log: Log;
}

/** Tasks of one job on their way into the queue. */
export interface Storing {
  /** So many are stored, so that from now on the leader counts them. */
  readonly stored: (tasks: number) => void;
  /** The rest will not come. */
  readonly end: () => void;
}

/** Nobody counts. */
export const unbounded: Storing = { stored: () => undefined, end: () => undefined };

export class ProjectQuotas {
  readonly #needs: ProjectQuotasNeeds;
  /** Only projects with a bound: clients cannot make it grow. */
  readonly #max = new Map<string, number>();
  readonly #storing = new Map<ProjectId, number>();
  #caughtUp = false;

  constructor(needs: ProjectQuotasNeeds) {
    this.#needs = needs;
  }

  /** For readiness: before the policies are read every project looks unbounded. */
  problem(): string | undefined {
    return this.#caughtUp ? undefined : "policies of projects not read yet";
  }

  async follow(stop: AbortSignal): Promise<void> {
    for await (const followed of this.#needs.broker.policies.follow(stop)) {
      if (followed.kind === "caught-up") this.#caughtUp = true;
      else for (const stored of followed.entries) this.#heed(stored);
    }
  }

  #heed(stored: StoredPolicy): void {
    if (stored.kind !== "project") return;
    const { project, queuedTasksMax } = stored.policy;
    if (queuedTasksMax > 0) this.#max.set(project, queuedTasksMax);
    else this.#max.delete(project);
  }

  isBounded(project: ProjectId): boolean {
    return this.#max.has(project);
  }

  /**
   * Reserves room for so many tasks; whoever has it says what became of it. QUOTA_EXCEEDED where
   * there is none.
   */
  async reserve(project: ProjectId, tasks: number): Promise<Storing> {
    const max = this.#max.get(project);
    if (max === undefined) return unbounded;
    const storing = this.#begin(project, tasks);
    // Taken before the leader counts: what is stored meanwhile is better counted twice than never.
    const reserved = this.#storing.get(project) ?? 0;
    const waiting = await this.#countWaiting(project);
    if (waiting === undefined || waiting + reserved <= max) return storing;
    storing.end();
    const known = `${waiting + reserved - tasks} tasks of the project wait`;
    const description = `${known}, ${tasks} more are asked for, and at most ${max} may wait`;
    throw new FarmError("QUOTA_EXCEEDED", description, {
      violations: [{ field: projectName(project), reason: "", description }],
      retryAfterMs: limits.quotaRetryMs,
    });
  }

  #begin(project: ProjectId, tasks: number): Storing {
    let left = tasks;
    const take = (count: number): void => {
      left -= count;
      const rest = (this.#storing.get(project) ?? 0) - count;
      if (rest > 0) this.#storing.set(project, rest);
      else this.#storing.delete(project);
    };
    this.#storing.set(project, (this.#storing.get(project) ?? 0) + tasks);
    return { stored: (count) => take(Math.min(left, count)), end: () => take(left) };
  }

  async #countWaiting(project: ProjectId): Promise<number | undefined> {
    try {
      const query = { $case: "projectStatus", value: { project } } as const;
      const { reply } = await this.#needs.broker.queries.ask({ query });
      return reply?.$case === "projectStatus" ? reply.value.waiting : undefined;
    } catch (error) {
      this.#needs.log.debug({ error }, "quota unchecked without a leader");
      return undefined;
    }
  }
}
