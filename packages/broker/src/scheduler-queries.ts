/** Questions to the leaders and their answers: of a project to its own, of the fleet to all. */
import { SchedulerQuery, SchedulerReply, shardOf, subjects } from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";
import type { BrokerBounds } from "./bounds.ts";
import type { SchedulerQueries, Unsubscribe } from "./broker.ts";
import { decodeAnswer, decodePassing, encode } from "./codec.ts";
import { mergeReplies, widenQuery } from "./merge-replies.ts";
import type { Messenger } from "./ports.ts";
import { ledShard, type ShardView } from "./shard-view.ts";

interface MessengerQueriesNeeds {
  readonly messenger: Messenger;
  readonly bounds: BrokerBounds;
  readonly log: Log;
  readonly view: ShardView;
}

export class MessengerQueries implements SchedulerQueries {
  readonly #messenger: Messenger;
  readonly #bounds: BrokerBounds;
  readonly #log: Log;
  readonly #view: ShardView;

  constructor({ messenger, bounds, log, view }: MessengerQueriesNeeds) {
    this.#messenger = messenger;
    this.#bounds = bounds;
    this.#log = log;
    this.#view = view;
  }

  async ask(query: SchedulerQuery): Promise<SchedulerReply> {
    const { shards } = this.#view;
    const project = projectOf(query);
    if (shards === 1 || project !== undefined) {
      return await this.#askShard(shardOf(project ?? "", shards), query);
    }
    const asked = Array.from({ length: shards }, (_, shard) =>
      this.#askShard(shard, widenQuery(query)),
    );
    // All of them or none: a fleet that is shown in part looks like one that has shrunk.
    return mergeReplies(query, await Promise.all(asked));
  }

  serve(handle: (query: SchedulerQuery) => SchedulerReply): Unsubscribe {
    const subject = subjects.query(ledShard(this.#view));
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

  async #askShard(shard: number, query: SchedulerQuery): Promise<SchedulerReply> {
    const answer = await this.#messenger.exchange({
      subject: subjects.query(shard),
      bytes: encode(SchedulerQuery, query),
      timeoutMs: this.#bounds.brokerRequestMs,
    });
    return decodeAnswer(SchedulerReply, answer);
  }
}

/** Undefined where the question is about the fleet. */
function projectOf({ query }: SchedulerQuery): string | undefined {
  switch (query?.$case) {
    case "jobStatus":
    case "explain":
    case "projectStatus":
    case "loraResidency":
    case "prefetch":
      return query.value.project;
    case "listWorkers":
    case "victims":
    case "scaling":
    case "queueStats":
    case "worker":
    case undefined:
      return undefined;
  }
}
