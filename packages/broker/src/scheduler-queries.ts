/** Questions to the leader and its answers. */
import { SchedulerQuery, SchedulerReply, subjects } from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";
import type { BrokerBounds } from "./bounds.ts";
import type { SchedulerQueries, Unsubscribe } from "./broker.ts";
import { decodeAnswer, decodePassing, encode } from "./codec.ts";
import type { Messenger } from "./ports.ts";

interface MessengerQueriesNeeds {
  readonly messenger: Messenger;
  readonly bounds: BrokerBounds;
  readonly log: Log;
}

export class MessengerQueries implements SchedulerQueries {
  readonly #messenger: Messenger;
  readonly #bounds: BrokerBounds;
  readonly #log: Log;

  constructor({ messenger, bounds, log }: MessengerQueriesNeeds) {
    this.#messenger = messenger;
    this.#bounds = bounds;
    this.#log = log;
  }

  async ask(query: SchedulerQuery): Promise<SchedulerReply> {
    const answer = await this.#messenger.exchange({
      subject: subjects.query,
      bytes: encode(SchedulerQuery, query),
      timeoutMs: this.#bounds.brokerRequestMs,
    });
    return decodeAnswer(SchedulerReply, answer);
  }

  serve(handle: (query: SchedulerQuery) => SchedulerReply): Unsubscribe {
    const subject = subjects.query;
    return this.#messenger.subscribe(subject, (message) => {
      const query = decodePassing(SchedulerQuery, { subject, bytes: message.bytes }, this.#log);
      if (query !== undefined) message.reply(this.#encode(handle(query)));
    }).unsubscribe;
  }

  /** A question whose answer does not fit is answered with nothing: it must not stop the leader. */
  #encode(reply: SchedulerReply): Uint8Array {
    try {
      return encode(SchedulerReply, reply);
    } catch (error) {
      this.#log.error({ error, reply: reply.reply?.$case }, "answer to a question does not fit");
      return encode(SchedulerReply, { epoch: reply.epoch, reply: undefined });
    }
  }
}
