/** A stream of JetStream as a log of subjects. */
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { FarmError } from "@zfarm/contract";
import type { Followed, Revision } from "../broker.ts";
import type { FollowRequest, LogMessage, PutRequest, PutResult, SubjectLog } from "../ports.ts";
import { classifyNatsError } from "./errors.ts";
import { followStream } from "./follow-stream.ts";
import type { NatsLink } from "./nats-link.ts";
import type { StreamGuard } from "./stream-guard.ts";

export interface NatsLogNeeds {
  readonly name: string;
  readonly link: NatsLink;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly guard: StreamGuard;
}

export class NatsLog implements SubjectLog {
  readonly name: string;
  readonly #needs: NatsLogNeeds;

  constructor(needs: NatsLogNeeds) {
    this.name = needs.name;
    this.#needs = needs;
  }

  put(request: PutRequest): Promise<PutResult> {
    return this.#needs.link.repeat(`writing to ${this.name}`, async (attempt) => {
      try {
        return await this.#publish(request);
      } catch (error) {
        const failure = classifyNatsError(error);
        if (failure === "full") {
          throw new FarmError("QUEUE_FULL", `${this.name} is at its bound`, { cause: error });
        }
        if (failure !== "conflict") throw error;
        // An earlier try whose answer got lost conflicts with this one: then we stand there.
        const ours = attempt > 1 ? await this.#findOwn(request) : undefined;
        return ours ?? { kind: "conflict" };
      }
    });
  }

  last(subject: string): Promise<LogMessage | undefined> {
    return this.#needs.link.repeat(`reading ${this.name}`, () => this.#last(subject));
  }

  remove(revision: Revision): Promise<void> {
    const { link, manager } = this.#needs;
    const seq = Number(revision);
    return link.repeat(`removing from ${this.name}`, async () => {
      try {
        await manager.streams.deleteMessage(this.name, seq, false);
      } catch (error) {
        // Servers differ in how they say that it is gone, so whether it is gone decides.
        if (classifyNatsError(error) !== "other") throw error;
        if ((await manager.streams.getMessage(this.name, { seq })) !== null) throw error;
      }
    });
  }

  lastRevision(): Promise<Revision> {
    const { link, manager } = this.#needs;
    return link.repeat(`reading ${this.name}`, async () => {
      const info = await manager.streams.info(this.name);
      return BigInt(info.state.last_seq);
    });
  }

  follow(request: FollowRequest): AsyncIterable<Followed<LogMessage>> {
    return followStream(this.#needs, request);
  }

  async #publish({ subject, bytes, expected }: PutRequest): Promise<PutResult> {
    const { client, guard, link } = this.#needs;
    const expect = {
      streamName: this.name,
      ...(expected === undefined ? {} : { lastSubjectSequence: Number(expected) }),
    };
    const timeout = link.bounds.brokerRequestMs;
    const { seq } = await client.publish(subject, bytes, { expect, timeout });
    const revision = BigInt(seq);
    guard.saw(this.name, revision);
    return { kind: "stored", revision };
  }

  async #last(subject: string): Promise<LogMessage | undefined> {
    const { manager } = this.#needs;
    const stored = await manager.streams.getMessage(this.name, { last_by_subj: subject });
    if (stored === null) return undefined;
    return { subject: stored.subject, bytes: stored.data, revision: BigInt(stored.seq) };
  }

  async #findOwn({ subject, bytes }: PutRequest): Promise<PutResult | undefined> {
    const standing = await this.#last(subject);
    if (standing === undefined || Buffer.compare(standing.bytes, bytes) !== 0) return undefined;
    return { kind: "stored", revision: standing.revision };
  }
}
