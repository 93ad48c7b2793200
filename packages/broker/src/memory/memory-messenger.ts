/** Messages between the parts of one process. */
import { FarmError } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import { drainedReason } from "../drained.ts";
import type { ExchangeRequest, IncomingMessage, Messenger, Subscription } from "../ports.ts";
import { createSubjectFilter } from "./subject-filter.ts";

interface Listener {
  readonly matches: (subject: string) => boolean;
  readonly handle: (message: IncomingMessage) => void;
}

/** Everyone who listens, whichever broker they came through. */
export type MemoryListeners = Set<Listener>;

interface MemoryMessengerNeeds {
  readonly listeners: MemoryListeners;
  readonly clock: Clock;
  readonly closing: AbortSignal;
}

export class MemoryMessenger implements Messenger {
  /** Memory is never away. */
  readonly connectedSince = Number.NEGATIVE_INFINITY;
  readonly #needs: MemoryMessengerNeeds;
  readonly #own: MemoryListeners = new Set();

  constructor(needs: MemoryMessengerNeeds) {
    this.#needs = needs;
    const leave = (): void => this.#own.forEach((listener) => this.#forget(listener));
    needs.closing.addEventListener("abort", leave);
  }

  publish(subject: string, bytes: Uint8Array): void {
    if (!this.#needs.closing.aborted) this.#deliver(subject, { bytes, reply: () => undefined });
  }

  subscribe(subject: string, handle: (message: IncomingMessage) => void): Subscription {
    this.#assertOpen();
    const listener = { matches: createSubjectFilter(subject), handle };
    this.#own.add(listener);
    this.#needs.listeners.add(listener);
    return { unsubscribe: () => this.#forget(listener), inForce: async () => undefined };
  }

  async exchange({ subject, bytes, timeoutMs, stop }: ExchangeRequest): Promise<Uint8Array> {
    this.#assertOpen();
    stop?.throwIfAborted();
    const { clock, closing } = this.#needs;
    const over = new AbortController();
    const answered = Promise.withResolvers<Uint8Array>();
    const abandoned = AbortSignal.any(stop === undefined ? [closing] : [closing, stop]);
    const abandon = (): void => answered.reject(abandoned.reason);
    abandoned.addEventListener("abort", abandon);
    const late = clock.sleep(timeoutMs, over.signal).then(() => {
      answered.reject(new FarmError("NO_LEADER", `no answer to ${subject} in ${timeoutMs} ms`));
    });
    try {
      if (this.#deliver(subject, { bytes, reply: answered.resolve }) === 0) {
        throw new FarmError("NO_LEADER", `nobody answers ${subject}`);
      }
      return await answered.promise;
    } finally {
      abandoned.removeEventListener("abort", abandon);
      over.abort();
      answered.promise.catch(() => undefined);
      await late;
    }
  }

  /** How many listen. They are called later, as with a real broker; throwing is fatal. */
  #deliver(subject: string, message: IncomingMessage): number {
    const listeners = [...this.#needs.listeners].filter(({ matches }) => matches(subject));
    for (const listener of listeners) {
      queueMicrotask(() => {
        if (this.#needs.listeners.has(listener)) listener.handle(message);
      });
    }
    return listeners.length;
  }

  #forget(listener: Listener): void {
    this.#own.delete(listener);
    this.#needs.listeners.delete(listener);
  }

  #assertOpen(): void {
    if (!this.#needs.closing.aborted) return;
    throw drainedReason();
  }
}
