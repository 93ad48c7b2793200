/**
 * Leadership as a lease: a message that expires unless its holder rewrites it in time. The
 * revision of the first write is the epoch, so epochs grow whoever leads. A broker that comes back
 * without its newest writes would give out revisions a second time, and with them epochs and
 * fences: a new holder moves the log on to where time says that it must be at least.
 */
import { randomUUID } from "node:crypto";
import { FarmError, leaderBucket, leaderKey, limits } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import type { BrokerBounds } from "./bounds.ts";
import type { Leadership, LeaderTerm, Revision } from "./broker.ts";
import type { SubjectLog } from "./ports.ts";
import { bucketSubject } from "./records.ts";

export interface LeadershipNeeds {
  /** Its messages expire `bounds.leaderLeaseMs` after they were written. */
  readonly lease: SubjectLog;
  readonly shard: number;
  readonly bounds: BrokerBounds;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the broker is drained: no lease can be kept after that. */
  readonly closing: AbortSignal;
}

function subjectOf(shard: number): string {
  return bucketSubject(leaderBucket(shard), leaderKey);
}

export class LeaseLeadership implements Leadership {
  readonly #needs: LeadershipNeeds;

  constructor(needs: LeadershipNeeds) {
    this.#needs = needs;
  }

  async acquire(candidate: string, stop: AbortSignal): Promise<LeaderTerm> {
    const { bounds, clock } = this.#needs;
    // The token tells two terms of one candidate apart; operators read the name before it.
    const bytes = new TextEncoder().encode(`${candidate} ${randomUUID()}`);
    const ended = AbortSignal.any([stop, this.#needs.closing]);
    const seen = { ...unseen };
    for (;;) {
      ended.throwIfAborted();
      const sentAt = clock.monotonic();
      const epoch = await this.#take(bytes, seen);
      if (epoch !== undefined) {
        // Whether it expired, was given up or got lost: its holder granted no longer than this.
        const quietSince = Math.min(seen.at + limits.leaderGrantsMs, clock.monotonic());
        const term = new LeaseTerm(this.#needs, { epoch, bytes, sentAt, quietSince });
        if (!stop.aborted) return term;
        await term.resign();
      }
      await clock.sleep(bounds.leaderRetryMs, ended);
    }
  }

  /** The epoch where nobody holds the lease; a standby sits out an outage of the broker. */
  async #take(bytes: Uint8Array, seen: SeenLease): Promise<Revision | undefined> {
    const { lease, clock, shard } = this.#needs;
    const subject = subjectOf(shard);
    try {
      const held = await lease.last(subject);
      if (held === undefined) {
        const put = await lease.put({ subject, bytes, expected: 0n });
        if (put.kind !== "stored") return undefined;
        const first = BigInt(firstEpoch(clock.now()));
        return put.revision >= first ? put.revision : await this.#moveOn(bytes, first);
      }
      if (held.revision !== seen.revision) {
        Object.assign(seen, { revision: held.revision, at: clock.monotonic() });
      }
      return undefined;
    } catch (error) {
      if (!isOutage(error)) throw error;
      // What was renewed while nobody could look is not known.
      Object.assign(seen, unseen);
      this.#needs.log.warn({ error }, "leadership cannot be asked for");
      return undefined;
    }
  }

  /** Takes its own lease away with all revisions up to the first, and asks once more. */
  async #moveOn(bytes: Uint8Array, first: Revision): Promise<Revision | undefined> {
    const { lease, shard } = this.#needs;
    await lease.removeBefore(first);
    const put = await lease.put({ subject: subjectOf(shard), bytes, expected: 0n });
    return put.kind === "stored" ? put.revision : undefined;
  }
}

/**
 * Four a second since the farm was thought of, as often as a lease is renewed: no epoch of before
 * is larger. An epoch has 32 bits, which this fills in 2060.
 */
export function firstEpoch(nowMs: number): number {
  return Math.max(1, Math.floor((nowMs - Date.UTC(2026, 0, 1)) / limits.leaderRenewMs));
}

/** The newest renewal of another holder's lease, and when it was first seen. */
interface SeenLease {
  revision: Revision;
  at: number;
}

const unseen: Readonly<SeenLease> = { revision: 0n, at: Number.POSITIVE_INFINITY };

interface TermStart {
  readonly epoch: Revision;
  readonly bytes: Uint8Array;
  /** Monotonic time before the lease was asked for: it expires no earlier than counted here. */
  readonly sentAt: number;
  readonly quietSince: number;
}

class LeaseTerm implements LeaderTerm {
  readonly epoch: bigint;
  readonly quietSince: number;
  readonly #needs: LeadershipNeeds;
  readonly #bytes: Uint8Array;
  readonly #lost = new AbortController();
  /** Aborts when the term is over for whatever reason; ends both loops. */
  readonly #over = new AbortController();
  readonly #renewing: Promise<void>;
  #revision: Revision;
  /** When the newest renewal that succeeded was sent. */
  #renewedAt: number;

  constructor(needs: LeadershipNeeds, { epoch, bytes, sentAt, quietSince }: TermStart) {
    this.epoch = epoch;
    this.quietSince = quietSince;
    this.#needs = needs;
    this.#bytes = bytes;
    this.#revision = epoch;
    this.#renewedAt = sentAt;
    needs.closing.addEventListener("abort", this.#onClosing);
    this.#renewing = Promise.all([this.#renew(), this.#watch()]).then(() => undefined);
  }

  get grantsUntil(): number {
    return this.#renewedAt + limits.leaderGrantsMs;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async resign(): Promise<void> {
    this.#end();
    // A renewal under way would move the lease to a revision that the removal does not name.
    await this.#renewing;
    try {
      await this.#needs.lease.remove(this.#revision);
    } catch (error) {
      this.#needs.log.warn({ error }, "lease not given up, it will expire");
    }
  }

  readonly #onClosing = (): void => this.#lose("the broker is being drained");

  async #renew(): Promise<void> {
    const { bounds, clock, lease, shard } = this.#needs;
    const subject = subjectOf(shard);
    while (!this.#over.signal.aborted) {
      await clock.sleep(bounds.leaderRenewMs, this.#over.signal);
      if (this.#over.signal.aborted) return;
      const sentAt = clock.monotonic();
      try {
        const put = await lease.put({ subject, bytes: this.#bytes, expected: this.#revision });
        if (put.kind === "conflict") return this.#lose("another candidate holds the lease");
        this.#revision = put.revision;
        this.#renewedAt = sentAt;
      } catch (error) {
        if (!isOutage(error)) return this.#lose(FarmError.from(error).message);
        this.#needs.log.warn({ error }, "lease not renewed");
      }
    }
  }

  /** Ends the term on time even while a renewal hangs. */
  async #watch(): Promise<void> {
    const { clock, bounds } = this.#needs;
    while (!this.#over.signal.aborted) {
      const leftMs = this.#renewedAt + bounds.leaderLeaseMs - clock.monotonic();
      if (leftMs <= 0) return this.#lose("the lease was not renewed in time");
      await clock.sleep(leftMs, this.#over.signal);
    }
  }

  #lose(why: string): void {
    if (this.#over.signal.aborted) return;
    this.#end();
    this.#lost.abort(new FarmError("NO_LEADER", `leadership lost: ${why}`));
  }

  #end(): void {
    this.#over.abort();
    this.#needs.closing.removeEventListener("abort", this.#onClosing);
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof FarmError && error.code === "BROKER_UNAVAILABLE";
}
