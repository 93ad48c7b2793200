/** What the client's and the server's errors mean to the farm, as measured on 2.10 to 2.14. */
import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { FarmError, limits } from "@zfarm/contract";

/** `err_code` of the server: https://github.com/nats-io/nats-server/blob/main/server/errors.json */
export const apiCodes = {
  noMessage: 10037,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  wrongLastSequenceUnknown: 10164,
  /** Every refusal to store: the description says which bound it was, or what else went wrong. */
  storeFailed: 10077,
} as const;

/** The connection broke under a request: whether the broker saw it is unknown. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

export type NatsFailure =
  /** The subject is not at the expected revision. */
  | "conflict"
  /** The stream is at its bound. */
  | "full"
  | "no-stream"
  /** Someone made a stream of that name just now. */
  | "stream-exists"
  /** Nobody serves the subject: no such stream, JetStream off, or its leader just gone. */
  | "no-responders"
  /** No answer, or the connection broke: it may have happened or not. */
  | "unknown-outcome"
  | "other";

export function classifyNatsError(error: unknown): NatsFailure {
  if (error instanceof JetStreamApiError) return classifyApiError(error);
  // The client wraps a missing responder into a class that it does not export.
  if (error instanceof Error && error.name === "JetStreamNotEnabled") return "no-responders";
  if (error instanceof errors.NoRespondersError) return "no-responders";
  if (error instanceof errors.RequestError) {
    return error.isNoResponders() ? "no-responders" : "unknown-outcome";
  }
  const cutOff = [
    InterruptedError,
    errors.TimeoutError,
    errors.ClosedConnectionError,
    errors.DrainingConnectionError,
    errors.ConnectionError,
  ];
  return cutOff.some((kind) => error instanceof kind) ? "unknown-outcome" : "other";
}

function classifyApiError(error: JetStreamApiError): NatsFailure {
  switch (error.code) {
    case apiCodes.wrongLastSequence:
    case apiCodes.wrongLastSequenceUnknown:
      return "conflict";
    case apiCodes.streamNameInUse:
      return "stream-exists";
    case apiCodes.streamNotFound:
      return "no-stream";
    case apiCodes.storeFailed:
      // The bound of one subject is the second lock on "at most one outcome per task".
      if (error.message.includes("per subject")) return "conflict";
      return error.message.startsWith("maximum ") ? "full" : "other";
    default:
      return "other";
  }
}

/** Whether a full stream is at its bound on messages, and not at one on bytes. */
export function isMessageBound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.message.startsWith("maximum messages");
}

/** The FarmError of a failure that is no expected outcome; `what` says what was tried. */
export function natsFarmError(error: unknown, what: string): FarmError {
  if (error instanceof FarmError) return error;
  const cause = error;
  const reason = error instanceof Error ? error.message : String(error);
  if (isServerSide(error)) return serverTrouble(`${what} failed: ${reason}`, cause);
  if (classifyNatsError(error) !== "other") {
    return new FarmError("BROKER_UNAVAILABLE", `${what} failed: ${reason}`, { cause });
  }
  return new FarmError("INTERNAL", `${what} failed: ${reason}`, { cause });
}

/** A server that has no room, or a stream that an operator bounded: that takes longer to pass. */
export function serverTrouble(message: string, cause: unknown): FarmError {
  const retryAfterMs = limits.brokerTroubleRetryMs;
  return new FarmError("BROKER_UNAVAILABLE", message, { cause, retryAfterMs });
}

/** A 5xx is the server's trouble, a full disk for instance; other statuses are our mistakes. */
function isServerSide(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.status >= 500;
}
