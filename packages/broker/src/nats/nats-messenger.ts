/** Core NATS: messages that nobody keeps. */
import { errors, type NatsConnection } from "@nats-io/transport-node";
import { FarmError } from "@zfarm/contract";
import type { ExchangeRequest, IncomingMessage, Messenger, Subscription } from "../ports.ts";
import { classifyNatsError, natsFarmError } from "./errors.ts";
import type { NatsLink } from "./nats-link.ts";

export class NatsMessenger implements Messenger {
  readonly #link: NatsLink;
  readonly #connection: NatsConnection;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#connection = link.connection;
  }

  get connectedSince(): number {
    return this.#link.upSince;
  }

  publish(subject: string, bytes: Uint8Array): void {
    // The client would keep it and send it after an outage, when it is no longer true.
    if (this.#link.isUp) this.#link.desk.send({ subject, bytes });
  }

  subscribe(subject: string, handle: (message: IncomingMessage) => void): Subscription {
    this.#link.ended.throwIfAborted();
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) {
          this.#link.end(natsFarmError(error, `listening to ${subject}`));
          return;
        }
        let answered = false;
        const reply = (bytes: Uint8Array): void => {
          if (answered || message.reply === undefined || !this.#link.isUp) return;
          answered = true;
          this.#link.desk.sendAhead({ subject: message.reply, bytes });
        };
        runHandler(() => handle({ bytes: message.data, reply }));
      },
    });
    return {
      unsubscribe: () => subscription.unsubscribe(),
      inForce: () =>
        this.#link.repeatCall(`listening to ${subject}`, () => this.#connection.flush()),
    };
  }

  async exchange(request: ExchangeRequest): Promise<Uint8Array> {
    const { subject, bytes, timeoutMs, stop } = request;
    stop?.throwIfAborted();
    const deadline = this.#link.clock.monotonic() + timeoutMs;
    try {
      const asked = this.#link.ask({ subject, bytes }, deadline);
      return (await raceStop(asked, stop)).data;
    } catch (error) {
      stop?.throwIfAborted();
      throw exchangeError(error, request);
    }
  }
}

/** Silence on a working connection means that nobody leads, or not well enough. */
function exchangeError(error: unknown, { subject, timeoutMs }: ExchangeRequest): FarmError {
  if (error instanceof FarmError) return error;
  const cause = error;
  if (classifyNatsError(error) === "no-responders") {
    return new FarmError("NO_LEADER", `nobody answers ${subject}`, { cause });
  }
  if (error instanceof errors.TimeoutError) {
    return new FarmError("NO_LEADER", `no answer to ${subject} in ${timeoutMs} ms`, { cause });
  }
  return natsFarmError(error, `asking ${subject}`);
}

/** The answer, or the stop signal's reason as soon as it aborts. */
async function raceStop<T>(answer: Promise<T>, stop: AbortSignal | undefined): Promise<T> {
  if (stop === undefined) return answer;
  const stopped = Promise.withResolvers<never>();
  const abandon = (): void => stopped.reject(stop.reason);
  stop.addEventListener("abort", abandon);
  try {
    return await Promise.race([answer, stopped.promise]);
  } finally {
    stop.removeEventListener("abort", abandon);
  }
}

/** What a handler throws is a bug and ends the process; the client would only log it. */
function runHandler(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
