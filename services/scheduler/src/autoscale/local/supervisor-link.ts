/** Asks the process that started this one, over the channel that it opened for that. */
import {
  FarmError,
  type HandsReply,
  type HandsRequest,
  limits,
  parseHandsReply,
  writeHandsMessage,
} from "@zfarm/contract";
import { type Clock, ConfigError } from "@zfarm/runtime";

/** What a process is to its supervisor; `process` itself where one is there. */
export interface SupervisorChannel {
  /** Absent where nobody opened a channel. */
  send?(message: object, done: (error: Error | null) => void): void;
  readonly connected: boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
}

export class SupervisorLink {
  readonly #channel: SupervisorChannel;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, (reply: HandsReply) => void>();
  readonly #hear = (message: unknown): void => {
    const reply = parseHandsReply(message);
    if (reply !== undefined) this.#waiting.get(reply.id)?.(reply.content);
  };
  #asked = 0;

  /** Throws ConfigError where there is no supervisor. */
  constructor({ channel, clock }: { channel: SupervisorChannel; clock: Clock }) {
    if (channel.send === undefined) {
      const who = "only `zfarm up --workers MIN..MAX` starts and stops workers of its own machine";
      throw new ConfigError([`AUTOSCALER=local: this process has no supervisor; ${who}`]);
    }
    this.#channel = channel;
    this.#clock = clock;
    channel.on("message", this.#hear);
  }

  get isOpen(): boolean {
    return this.#channel.connected;
  }

  /** Rejects with FarmError where no answer comes in time, or it is that nothing can be done. */
  async ask(content: HandsRequest, stop: AbortSignal): Promise<HandsReply> {
    this.#asked += 1;
    const id = this.#asked;
    const over = new AbortController();
    const answer = new Promise<HandsReply>((resolve, reject) => {
      this.#waiting.set(id, resolve);
      const message = writeHandsMessage("request", { id, content });
      this.#channel.send?.(message, (error) => {
        if (error !== null) reject(unavailable("cannot be asked", { cause: error }));
      });
    });
    try {
      const patience = AbortSignal.any([stop, over.signal]);
      const late = this.#clock.sleep(limits.localHandsMs, patience).then(() => undefined);
      const reply = await Promise.race([answer, late]);
      if (reply === undefined) throw unavailable(`did not answer in ${limits.localHandsMs} ms`);
      if (reply.kind === "refused") throw unavailable(`refuses: ${reply.reason}`);
      return reply;
    } finally {
      over.abort();
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#channel.off("message", this.#hear);
  }
}

function unavailable(what: string, options: { readonly cause?: unknown } = {}): FarmError {
  return new FarmError("CLUSTER_UNAVAILABLE", `the supervisor of this farm ${what}`, options);
}
