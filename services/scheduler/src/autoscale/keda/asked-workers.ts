/**
 * How many workers each pool should be given now, as the leader decided: every replica answers KEDA
 * from this, so that all of them answer alike.
 */
import type { SchedulerQueries } from "@zfarm/broker";
import { FarmError, limits, type PoolId } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

interface AskedWorkersNeeds {
  readonly queries: Pick<SchedulerQueries, "ask">;
  readonly pools: ReadonlySet<PoolId>;
  readonly clock: Clock;
}

export class AskedWorkers {
  readonly #needs: AskedWorkersNeeds;
  #known: Promise<ReadonlyMap<string, number>> | undefined;
  #knownUntilMs = 0;

  constructor(needs: AskedWorkersNeeds) {
    this.#needs = needs;
  }

  /**
   * Rejects with POOL_NOT_FOUND for a pool that the file of the autoscaler has not, and with
   * NO_LEADER where nothing was decided yet: a number that is made up could end every worker.
   */
  async of(name: string): Promise<number> {
    const { pools } = this.#needs;
    if (![...pools].some((pool) => pool === name)) {
      const known = [...pools].join(", ");
      throw new FarmError(
        "POOL_NOT_FOUND",
        `the autoscaler has no pool ${JSON.stringify(name)}; it has ${known}`,
      );
    }
    const asked = (await this.#look()).get(name);
    if (asked !== undefined) return asked;
    throw new FarmError("NO_LEADER", `nothing was decided for pool ${name} yet`);
  }

  /** One question at a time, however many ask. */
  #look(): Promise<ReadonlyMap<string, number>> {
    const now = this.#needs.clock.monotonic();
    if (this.#known === undefined || now >= this.#knownUntilMs) {
      this.#knownUntilMs = now + limits.kedaKnownMs;
      this.#known = this.#ask();
      this.#known.catch(() => (this.#known = undefined));
    }
    return this.#known;
  }

  async #ask(): Promise<ReadonlyMap<string, number>> {
    const query = { query: { $case: "scaling", value: {} } } as const;
    const { reply } = await this.#needs.queries.ask(query);
    if (reply?.$case !== "scaling") {
      throw new FarmError("NO_LEADER", "the leader does not say how many workers it wants");
    }
    const asked = new Map<string, number>();
    for (const { pool, askedFor } of reply.value.pools) {
      if (askedFor !== undefined) asked.set(pool, askedFor);
    }
    return asked;
  }
}
