/**
 * Notices that a stream is not the one this process started with: gone, created anew, or missing
 * messages that were acknowledged. Whoever went on would take lost work for work never asked for.
 */
import type { JetStreamManager, StreamInfo } from "@nats-io/jetstream";
import { FarmError, streams } from "@zfarm/contract";
import type { Revision } from "../broker.ts";
import { findStream } from "./declare-streams.ts";

interface Known {
  readonly created: string;
  newest: Revision;
  /** The newest message that a follower was given. */
  followed: { readonly revision: Revision; readonly timeMs: number } | undefined;
}

/**
 * Those whose followers may read single messages too. A process that is late to come back finds
 * such a stream grown beyond what it knew, though with other messages than those that it had read.
 */
const compared: ReadonlySet<string> = new Set([streams.queue, streams.outcomes, streams.controls]);

export class StreamGuard {
  readonly #manager: JetStreamManager;
  readonly #known: ReadonlyMap<string, Known>;

  constructor(manager: JetStreamManager, infos: readonly StreamInfo[]) {
    this.#manager = manager;
    this.#known = new Map(
      infos.map(({ config, created, state }) => [
        config.name,
        { created, newest: BigInt(state.last_seq), followed: undefined },
      ]),
    );
  }

  /** Remembers that a message with this revision was stored or delivered. */
  saw(stream: string, revision: Revision): void {
    const known = this.#known.get(stream);
    if (known !== undefined && revision > known.newest) known.newest = revision;
  }

  /** Remembers the newest message that a follower of the stream was given. */
  followed(stream: string, { seq, time }: { readonly seq: number; readonly time: Date }): void {
    const revision = BigInt(seq);
    this.saw(stream, revision);
    const known = this.#known.get(stream);
    if (known === undefined || revision <= (known.followed?.revision ?? 0n)) return;
    known.followed = { revision, timeMs: time.getTime() };
  }

  /** STATE_LOST, or the client's errors where the broker does not answer. */
  async verify(): Promise<void> {
    await Promise.all([...this.#known].map(([name, known]) => this.#verifyStream(name, known)));
  }

  async #verifyStream(name: string, known: Known): Promise<void> {
    // Taken before the question: messages stored meanwhile may be missing in the answer.
    const newest = known.newest;
    const info = await findStream(this.#manager, name);
    if (info === undefined) throw new FarmError("STATE_LOST", `stream ${name} is gone`);
    if (info.created !== known.created) {
      throw new FarmError("STATE_LOST", `stream ${name} was deleted and created anew`);
    }
    const last = BigInt(info.state.last_seq);
    if (last < newest) {
      const what = `ends at revision ${last}, and ${newest} was acknowledged`;
      throw new FarmError("STATE_LOST", `stream ${name} ${what}`);
    }
    await this.#compare(name, known);
  }

  /** A message that is gone was removed, or is one that no message took the place of. */
  async #compare(name: string, { followed }: Known): Promise<void> {
    if (followed === undefined || !compared.has(name)) return;
    const { revision, timeMs } = followed;
    const stored = await this.#manager.streams.getMessage(name, { seq: Number(revision) });
    if (stored === null || isSameTime(stored.time.getTime(), timeMs)) return;
    const what = `has another message at revision ${revision}, of ${stored.timestamp}`;
    throw new FarmError("STATE_LOST", `stream ${name} ${what}`);
  }
}

/**
 * Whether two readings in milliseconds can be of one time. The client reads a delivery's
 * nanoseconds as a number, which may round up into the next millisecond, and a stored message's as
 * text.
 */
export function isSameTime(oneMs: number, otherMs: number): boolean {
  return Math.abs(oneMs - otherMs) <= 1;
}
