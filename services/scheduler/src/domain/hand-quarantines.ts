/** Workers that operators put aside, until a time or until they are forgiven. */
import type { WorkerId, WorkerPolicy } from "@zfarm/contract";

export interface HandQuarantine {
  /** What the operator said. */
  readonly note: string;
  /** Milliseconds; Infinity: until it is forgiven. */
  readonly until: number;
}

export class HandQuarantines {
  readonly #workers = new Map<WorkerId, HandQuarantine>();

  /** What the newest policy of the worker says; without a word of it the worker is free. */
  set(worker: WorkerId, wish: WorkerPolicy["quarantine"], now: number): void {
    this.#workers.delete(worker);
    if (wish === undefined) return;
    const until = wish.endTime?.getTime() ?? Number.POSITIVE_INFINITY;
    if (until > now) this.#workers.set(worker, { note: wish.reason, until });
  }

  of(worker: WorkerId, now: number): HandQuarantine | undefined {
    const found = this.#workers.get(worker);
    return found !== undefined && found.until > now ? found : undefined;
  }

  /** Ends those whose time is over; whom that let go. O(workers put aside). */
  advance(now: number): WorkerId[] {
    const released = [...this.#workers].filter(([, { until }]) => until <= now);
    for (const [worker] of released) this.#workers.delete(worker);
    return released.map(([worker]) => worker);
  }
}
