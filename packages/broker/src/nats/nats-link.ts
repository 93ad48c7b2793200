/**
 * One connection to NATS and what is known about it. Nothing is sent while it is down, and after
 * it came back nothing is sent until the streams were seen to be the same: a request either
 * reaches the farm's state or fails in bounded time.
 */
import { errors, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { FarmError } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import type { BrokerBounds } from "../bounds.ts";
import { classifyNatsError, InterruptedError, natsFarmError } from "./errors.ts";
import { type Outgoing, RequestDesk } from "./request-desk.ts";

export interface NatsLinkNeeds {
  readonly connection: NatsConnection;
  /** Where answers come. */
  readonly inboxPrefix: string;
  readonly bounds: BrokerBounds;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two tries of a request that found nobody to answer it. */
const retryMs = 100;

export class NatsLink {
  readonly connection: NatsConnection;
  readonly bounds: BrokerBounds;
  readonly clock: Clock;
  readonly log: Log;
  /** Sends and asks without looking whether the connection is up. */
  readonly desk: RequestDesk;
  readonly #ended = new AbortController();
  readonly #interrupts = new Set<(reason: Error) => void>();
  #up = true;
  #downSince = 0;
  #upSince: number;
  /** Grows with every disconnect. */
  #era = 0;
  #resumed = Promise.withResolvers<void>();
  #trouble: string | undefined;
  /** Looks whether the streams are still there; set once they were declared. */
  #verify: () => Promise<void> = async () => undefined;

  constructor(needs: NatsLinkNeeds) {
    this.connection = needs.connection;
    this.bounds = needs.bounds;
    this.clock = needs.clock;
    this.log = needs.log;
    const { connection, inboxPrefix, clock } = needs;
    this.#upSince = clock.monotonic();
    this.desk = new RequestDesk({ connection, inboxPrefix, clock, ended: this.ended });
  }

  /** Aborts when the broker is drained or its state is lost; the reason says which. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get isUp(): boolean {
    return this.#up && !this.ended.aborted;
  }

  /** Monotonic milliseconds since the connection stands; Infinity while it does not. */
  get upSince(): number {
    return this.isUp ? this.#upSince : Number.POSITIVE_INFINITY;
  }

  /** Starts watching the connection and the streams; both end with the link. */
  watch(verify: () => Promise<void>): void {
    this.#verify = verify;
    void this.#watchConnection();
    void this.#watchStreams();
  }

  /** Ends the link: everything that waits on it fails with the reason. */
  end(reason: FarmError): void {
    if (this.ended.aborted) return;
    this.#ended.abort(reason);
    this.#interrupt(reason);
    this.#resumed.resolve();
  }

  problem(): string | undefined {
    if (this.ended.aborted) return FarmError.from(this.ended.reason).message;
    if (this.#up || this.#trouble !== undefined) return this.#trouble;
    const seconds = Math.round((this.clock.monotonic() - this.#downSince) / 1_000);
    return `no connection to the broker for ${seconds} s`;
  }

  /** Calls `hear` when the connection breaks or the link ends, until the answer is called. */
  onInterrupt(hear: () => void): () => void {
    this.#interrupts.add(hear);
    return () => this.#interrupts.delete(hear);
  }

  /**
   * Does a request that may be repeated, again and again until it is answered or
   * `bounds.brokerRequestMs` have passed. `attempt` counts from 1; above that, an earlier try may
   * have happened. Other failures than silence are thrown as they come.
   */
  async repeat<T>(
    what: string,
    request: (deadline: number, attempt: number) => Promise<T>,
  ): Promise<T> {
    const deadline = this.clock.monotonic() + this.bounds.brokerRequestMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await request(deadline, attempt);
      } catch (error) {
        await this.#mayRepeat(error, { what, deadline });
      }
    }
  }

  /** Asks once, when the connection is up; fails at the deadline or when it breaks. */
  async ask(message: Outgoing, deadline: number): Promise<Msg> {
    if (!this.isUp) await this.#whenUp(deadline);
    return await this.desk.request(message, deadline);
  }

  /** As `repeat`, for a request that the client itself makes. */
  repeatCall<T>(what: string, request: () => Promise<T>): Promise<T> {
    return this.repeat(what, (deadline) => this.#once(deadline, request));
  }

  async #once<T>(deadline: number, request: () => Promise<T>): Promise<T> {
    await this.#whenUp(deadline);
    const settled = Promise.withResolvers<T>();
    const over = new AbortController();
    this.#interrupts.add(settled.reject);
    const leftMs = deadline - this.clock.monotonic();
    void this.clock.sleep(leftMs, over.signal).then(() => {
      settled.reject(new errors.TimeoutError());
    });
    request().then(settled.resolve, settled.reject);
    try {
      return await settled.promise;
    } finally {
      this.#interrupts.delete(settled.reject);
      over.abort();
    }
  }

  /** Returns where another try makes sense, after the wait it needs; throws where none does. */
  async #mayRepeat(error: unknown, { what, deadline }: { what: string; deadline: number }) {
    const failure = classifyNatsError(error);
    if (failure === "no-stream" || failure === "no-responders") await this.#verifyQuietly();
    this.ended.throwIfAborted();
    const repeatable = failure === "unknown-outcome" || failure === "no-responders";
    if (!repeatable || this.clock.monotonic() + retryMs >= deadline) {
      throw natsFarmError(error, what);
    }
    if (failure === "no-responders") await this.clock.sleep(retryMs, this.ended);
  }

  async #whenUp(deadline: number): Promise<void> {
    while (!this.#up && !this.ended.aborted) {
      const leftMs = deadline - this.clock.monotonic();
      if (leftMs <= 0) throw new FarmError("BROKER_UNAVAILABLE", "no connection to the broker");
      const over = new AbortController();
      await Promise.race([this.#resumed.promise, this.clock.sleep(leftMs, over.signal)]);
      over.abort();
    }
    this.ended.throwIfAborted();
  }

  async #watchConnection(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === "disconnect") this.#goDown();
      else if (status.type === "reconnect") void this.#comeUp();
      else if (status.type === "error") {
        this.log.warn({ error: status.error }, "broker connection reports an error");
      }
    }
    // The client redials for ever, so this follows a drain, which ended the link already.
    this.end(new FarmError("BROKER_UNAVAILABLE", "the connection to the broker was closed"));
  }

  #goDown(): void {
    this.#era += 1;
    this.#trouble = undefined;
    if (!this.#up) return;
    this.#up = false;
    this.#downSince = this.clock.monotonic();
    this.#resumed = Promise.withResolvers();
    this.log.warn({}, "broker disconnected");
    this.#interrupt(new InterruptedError("the connection to the broker broke"));
  }

  /** Gives up when the connection breaks again: the next reconnect brings its own check. */
  async #comeUp(): Promise<void> {
    const era = this.#era;
    while (!(await this.#verifyQuietly())) {
      await this.clock.sleep(retryMs, this.ended);
      if (era !== this.#era || this.ended.aborted) return;
    }
    if (era !== this.#era || this.ended.aborted) return;
    this.#up = true;
    this.#upSince = this.clock.monotonic();
    const downMs = Math.round(this.#upSince - this.#downSince);
    this.log.info({ down_ms: downMs }, "broker reconnected");
    this.#resumed.resolve();
  }

  async #watchStreams(): Promise<void> {
    while (!this.ended.aborted) {
      await this.clock.sleep(this.bounds.brokerCheckMs, this.ended);
      if (this.isUp) await this.#verifyQuietly();
    }
  }

  /** Whether the streams are fine; a lost one ends the link, an outage is remembered. */
  async #verifyQuietly(): Promise<boolean> {
    const era = this.#era;
    try {
      await this.#verify();
      this.#trouble = undefined;
      return true;
    } catch (error) {
      const failure = natsFarmError(error, "checking the streams");
      if (failure.code === "STATE_LOST") {
        this.log.error({ error: failure }, "broker state lost");
        this.end(failure);
      }
      if (era === this.#era) this.#trouble = failure.message;
      return false;
    }
  }

  #interrupt(reason: Error): void {
    this.desk.interrupt(reason);
    for (const hear of this.#interrupts) hear(reason);
  }
}
