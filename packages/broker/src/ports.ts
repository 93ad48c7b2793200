/**
 * The two things a broker must be able to do; everything the farm asks of one is written once
 * on top of them. Implemented over NATS in nats/ and over plain memory in memory/.
 */
import type { Followed, Revision, Unsubscribe } from "./broker.ts";

export interface LogMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly revision: Revision;
}

export interface PutRequest {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** The revision the subject must be at, 0n for none yet; absent: whatever it is. */
  readonly expected?: Revision;
}

export type PutResult =
  | { readonly kind: "stored"; readonly revision: Revision }
  | { readonly kind: "conflict" };

export interface FollowRequest {
  /** A subject; `*` stands for one part of it, a last `>` for all that follow. */
  readonly filter: string;
  /** Only messages newer than this. */
  readonly after: Revision;
  readonly stop: AbortSignal;
}

/** A log that keeps the newest message of every subject, in the order of writing. */
export interface SubjectLog {
  /** The stream's name, for error texts. */
  readonly name: string;
  /** Harmless to repeat with an expected revision. QUEUE_FULL, BROKER_UNAVAILABLE, STATE_LOST. */
  put(request: PutRequest): Promise<PutResult>;
  /** The message of a subject, as of now. */
  last(subject: string): Promise<LogMessage | undefined>;
  /** Harmless when the message is gone. */
  remove(revision: Revision): Promise<void>;
  /**
   * Removes every message that is older than the revision, of all or of those under the filter.
   * Without a filter no later message gets a smaller revision, even where none is that new yet.
   */
  removeBefore(revision: Revision, filter?: string): Promise<void>;
  /** The newest revision ever given out; before the first, less than any to come. */
  lastRevision(): Promise<Revision>;
  /** Ends when stopped or drained; fails to open, or later fails with STATE_LOST, nothing else. */
  follow(request: FollowRequest): AsyncIterable<Followed<LogMessage>>;
}

export interface IncomingMessage {
  readonly bytes: Uint8Array;
  /** Answers a request; dropped where the asker is gone or asked for no answer. */
  reply(bytes: Uint8Array): void;
}

export interface Subscription {
  readonly unsubscribe: Unsubscribe;
  /** Resolves once what others publish is seen. BROKER_UNAVAILABLE. */
  inForce(): Promise<void>;
}

export interface ExchangeRequest {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly timeoutMs: number;
  /** Rejects with the signal's reason. */
  readonly stop?: AbortSignal;
}

/** Messages that nobody keeps. */
export interface Messenger {
  /** Monotonic milliseconds since when the connection stands; Infinity while it does not. */
  readonly connectedSince: number;
  /** Best effort: dropped while there is no connection and where nobody listens. */
  publish(subject: string, bytes: Uint8Array): void;
  subscribe(subject: string, handle: (message: IncomingMessage) => void): Subscription;
  /** The first answer. NO_LEADER where nobody listens or answers, BROKER_UNAVAILABLE. */
  exchange(request: ExchangeRequest): Promise<Uint8Array>;
}
