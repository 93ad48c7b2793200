/** A stream of JetStream as a log of subjects. */
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { FarmError, streams } from "@zfarm/contract";
import type { Followed, Revision } from "../broker.ts";
import type { FollowRequest, LogMessage, PutRequest, PutResult, SubjectLog } from "../ports.ts";
import { classifyNatsError, isMessageBound, serverTrouble } from "./errors.ts";
import { followStream } from "./follow-stream.ts";
import type { NatsLink } from "./nats-link.ts";
import { StreamApi } from "./stream-api.ts";
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
  readonly #api: StreamApi;

  constructor(needs: NatsLogNeeds) {
    this.name = needs.name;
    this.#needs = needs;
    this.#api = new StreamApi(needs.link, needs.name);
  }

  put(request: PutRequest): Promise<PutResult> {
    const { link, guard } = this.#needs;
    return link.repeat(`writing to ${this.name}`, async (deadline, attempt) => {
      try {
        const revision = await this.#api.publish(request, deadline);
        guard.saw(this.name, revision);
        return { kind: "stored", revision };
      } catch (error) {
        const failure = classifyNatsError(error);
        if (failure === "full") {
          const told = `${this.name} is at its bound`;
          // The farm bounds messages; a bound on the bytes of other logs is an operator's business.
          const isFarms = this.name === streams.queue || isMessageBound(error);
          if (!isFarms) throw serverTrouble(told, error);
          throw new FarmError("QUEUE_FULL", told, { cause: error });
        }
        if (failure !== "conflict") throw error;
        // An earlier try whose answer got lost conflicts with this one: then we stand there.
        const ours = attempt > 1 ? await this.#findOwn(request, deadline) : undefined;
        return ours ?? { kind: "conflict" };
      }
    });
  }

  last(subject: string): Promise<LogMessage | undefined> {
    const { link } = this.#needs;
    return link.repeat(`reading ${this.name}`, (deadline) => this.#api.last(subject, deadline));
  }

  remove(revision: Revision): Promise<void> {
    const { link } = this.#needs;
    return link.repeat(`removing from ${this.name}`, async (deadline) => {
      try {
        await this.#api.remove(revision, deadline);
      } catch (error) {
        // Servers differ in how they say that it is gone, so whether it is gone decides.
        if (classifyNatsError(error) !== "other") throw error;
        if (await this.#api.has(revision, deadline)) throw error;
      }
    });
  }

  removeBefore(revision: Revision, filter?: string): Promise<void> {
    const { link } = this.#needs;
    return link.repeat(`removing from ${this.name}`, (deadline) =>
      this.#api.removeBefore({ revision, filter }, deadline),
    );
  }

  lastRevision(): Promise<Revision> {
    const { link, manager } = this.#needs;
    return link.repeatCall(`reading ${this.name}`, async () => {
      const info = await manager.streams.info(this.name);
      return BigInt(info.state.last_seq);
    });
  }

  follow(request: FollowRequest): AsyncIterable<Followed<LogMessage>> {
    return followStream(this.#needs, request);
  }

  async #findOwn({ subject, bytes }: PutRequest, deadline: number): Promise<PutResult | undefined> {
    const standing = await this.#api.last(subject, deadline);
    if (standing === undefined || Buffer.compare(standing.bytes, bytes) !== 0) return undefined;
    return { kind: "stored", revision: standing.revision };
  }
}
