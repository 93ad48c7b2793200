/**
 * Notices that a stream is not the one this process started with: gone, created anew, or missing
 * messages that were acknowledged. Whoever went on would take lost work for work never asked for.
 */
import type { JetStreamManager, StreamInfo } from "@nats-io/jetstream";
import { FarmError } from "@zfarm/contract";
import type { Revision } from "../broker.ts";
import { findStream } from "./declare-streams.ts";

interface Known {
  readonly created: string;
  newest: Revision;
}

export class StreamGuard {
  readonly #manager: JetStreamManager;
  readonly #known: ReadonlyMap<string, Known>;

  constructor(manager: JetStreamManager, infos: readonly StreamInfo[]) {
    this.#manager = manager;
    this.#known = new Map(
      infos.map(({ config, created, state }) => [
        config.name,
        { created, newest: BigInt(state.last_seq) },
      ]),
    );
  }

  /** Remembers that a message with this revision was stored or delivered. */
  saw(stream: string, revision: Revision): void {
    const known = this.#known.get(stream);
    if (known !== undefined && revision > known.newest) known.newest = revision;
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
  }
}
