/**
 * Sends messages and takes answers for one connection, many at a time. The client's own request
 * costs a timer, several promises and two errors with stack traces each, and its publish a write
 * to the socket each; at thousands a second that is most of a process. Here one subscription
 * takes every answer, one loop looks at the deadlines, and what is sent in one turn of the event
 * loop leaves in one write.
 */
import {
  createInbox,
  errors,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from "@nats-io/transport-node";
import type { Clock } from "@zfarm/runtime";

export interface Outgoing {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly headers?: MsgHdrs;
}

interface Waiting {
  readonly subject: string;
  readonly deadline: number;
  readonly resolve: (answer: Msg) => void;
  readonly reject: (error: Error) => void;
}

interface RequestDeskNeeds {
  readonly connection: NatsConnection;
  readonly inboxPrefix: string;
  readonly clock: Clock;
  readonly ended: AbortSignal;
}

/** How late a request may notice that its time is over. */
const lookEveryMs = 20;
/** What the server answers in the place of nobody. */
const noRespondersStatus = 503;

export class RequestDesk {
  readonly #needs: RequestDeskNeeds;
  readonly #inbox: string;
  readonly #waiting = new Map<string, Waiting>();
  #outbox: (Outgoing & { readonly reply?: string })[] = [];
  #requests = 0;
  #isLooking = false;
  #isInHaste = false;

  constructor(needs: RequestDeskNeeds) {
    this.#needs = needs;
    this.#inbox = `${createInbox(needs.inboxPrefix)}.`;
    needs.connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message);
      },
    });
  }

  /** Ahead of what else is to be done in this turn of the event loop: somebody waits for it. */
  sendAhead(message: Outgoing): void {
    if (!this.#isInHaste) {
      this.#isInHaste = true;
      queueMicrotask(() => this.flush());
    }
    this.#outbox.push(message);
  }

  /** In this turn of the event loop, behind what was sent before. */
  send(message: Outgoing & { readonly reply?: string }): void {
    if (this.#outbox.length === 0) setImmediate(() => this.flush());
    this.#outbox.push(message);
  }

  /** The first answer; the client's errors where there is none until the deadline. */
  request(message: Outgoing, deadline: number): Promise<Msg> {
    const { promise, resolve, reject } = Promise.withResolvers<Msg>();
    this.#requests += 1;
    const token = this.#requests.toString(36);
    this.#waiting.set(token, { subject: message.subject, deadline, resolve, reject });
    this.send({ ...message, reply: this.#inbox + token });
    if (!this.#isLooking) void this.#lookForLate();
    return promise;
  }

  /** Hands what is to be sent to the client. */
  flush(): void {
    this.#isInHaste = false;
    const messages = this.#outbox;
    this.#outbox = [];
    for (const { subject, bytes, ...options } of messages) {
      this.#needs.connection.publish(subject, bytes, options);
    }
  }

  /** The connection is gone: nothing is sent any more that was said before, no answer comes. */
  interrupt(reason: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#outbox = [];
    for (const { reject } of waiting) reject(reason);
  }

  #take(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length);
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    this.#waiting.delete(token);
    const isNobody = message.data.length === 0 && message.headers?.code === noRespondersStatus;
    if (isNobody) waiting.reject(new errors.NoRespondersError(waiting.subject));
    else waiting.resolve(message);
  }

  async #lookForLate(): Promise<void> {
    const { clock, ended } = this.#needs;
    this.#isLooking = true;
    while (this.#waiting.size > 0 && !ended.aborted) {
      await clock.sleep(lookEveryMs, ended);
      const now = clock.monotonic();
      for (const [token, { deadline, reject }] of this.#waiting) {
        if (deadline > now) continue;
        this.#waiting.delete(token);
        reject(new errors.TimeoutError());
      }
    }
    this.#isLooking = false;
  }
}
