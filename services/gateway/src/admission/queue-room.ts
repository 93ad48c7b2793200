/**
 * Whether the queue has room for a job of several tasks. The broker bounds messages, and a message
 * may hold a bundle, so tasks are counted here: by the leader now and then, and what this gateway
 * admits in between by itself. So gateways may together exceed the bound by what the others admit
 * within a second or two. While nobody leads, each goes by what it last knew.
 */
import type { Broker } from "@zfarm/broker";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

export class QueueRoom {
  readonly #queries: Pick<Broker["queries"], "ask">;
  readonly #clock: Clock;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  /** Live tasks as the leader last said. */
  #known = 0;
  /** Admitted before that answer, maybe too late for it to count them, and admitted since. */
  #takenBefore = 0;
  #taken = 0;

  constructor(queries: Pick<Broker["queries"], "ask">, clock: Clock) {
    this.#queries = queries;
    this.#clock = clock;
  }

  /** Takes room for so many tasks; gives whether there was enough. */
  async take(tasks: number): Promise<boolean> {
    if (tasks > 1) await this.#count();
    // One task is one message, and messages are the broker's to count.
    const isEnough =
      tasks === 1 || this.#known + this.#takenBefore + this.#taken + tasks <= limits.queueTasksMax;
    if (isEnough) this.#taken += tasks;
    return isEnough;
  }

  async #count(): Promise<void> {
    const now = this.#clock.monotonic();
    if (now - this.#askedAtMs < limits.queueRoomEveryMs) return;
    // Set before the question: those who come meanwhile ask none of their own.
    this.#askedAtMs = now;
    const taken = this.#taken;
    try {
      const query = { $case: "queueStats", value: { pool: "", projectsMax: 0 } } as const;
      const { reply } = await this.#queries.ask({ query });
      if (reply?.$case !== "queueStats") return;
      const { pools } = reply.value;
      this.#known = pools.reduce((sum, { waiting, running }) => sum + waiting + running, 0);
      this.#takenBefore = taken;
      this.#taken -= taken;
    } catch (error) {
      if (!(error instanceof FarmError)) throw error;
    }
  }
}
