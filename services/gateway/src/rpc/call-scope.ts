/** How long a call lives: until its client leaves, its deadline passes or the gateway stops. */
import type { Metadata } from "@grpc/grpc-js";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock, Span } from "@zfarm/runtime";

/** What calls of all kinds have in common, as far as it matters here. */
export interface AnyCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getDeadline(): Date | number;
  getPath(): string;
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

export interface CallScope {
  /** Aborts with the FarmError that the call ends with. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** Of the call, for the spans of its parts. */
  readonly span: Span;
  /** Adds facts to the call's log line. */
  note(fields: Readonly<Record<string, unknown>>): void;
}

export interface OpenScope {
  readonly scope: CallScope;
  readonly facts: Record<string, unknown>;
  readonly end: (reason: FarmError) => void;
  /** Call when the handler is done: what happens to the call later is no cancellation. */
  close(): void;
}

/**
 * grpc-js emits `cancelled` after every call, successful ones included, so the listener goes
 * when the handler is done: https://github.com/grpc/grpc-node/issues/2771.
 */
export function openScope(
  call: AnyCall,
  { defaultMs, clock, span }: { defaultMs: number; clock: Clock; span: Span },
): OpenScope {
  const stopping = new AbortController();
  const end = (reason: FarmError): void => stopping.abort(reason);
  const onCancel = (): void => end(new FarmError("TASK_CANCELED", "the caller left"));
  const deadline = deadlineOf(call, defaultMs, clock.now());
  const timerDone = new AbortController();
  const facts: Record<string, unknown> = {};

  call.on("cancelled", onCancel);
  if (call.cancelled) onCancel();
  void clock.sleep(deadline - clock.now(), timerDone.signal).then(() => {
    if (!timerDone.signal.aborted) end(deadlineError());
  });
  return {
    scope: {
      signal: stopping.signal,
      deadline,
      span,
      note: (fields) => void Object.assign(facts, fields),
    },
    facts,
    end,
    close: () => {
      timerDone.abort();
      call.off("cancelled", onCancel);
    },
  };
}

/**
 * The deadline a call is held to. grpc-js overflows on long `grpc-timeout` values, so what it
 * says may lie in the past or be infinite; such a call gets at most `limits.callMsMax` from now.
 */
export function deadlineOf(
  call: { getDeadline(): Date | number },
  defaultMs: number,
  now: number,
): number {
  const named = Number(call.getDeadline());
  if (!Number.isFinite(named)) return now + defaultMs;
  return Math.min(Math.max(named, now), now + limits.callMsMax);
}

/** Bytes of all metadata keys and values, roughly as HTTP/2 counts them. */
export function checkMetadata(metadata: Metadata): void {
  let bytes = 0;
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key)) bytes += key.length + value.length;
  }
  if (bytes <= limits.metadataBytesMax) return;
  const bound = `at most ${limits.metadataBytesMax} are allowed`;
  throw new FarmError("TOO_LARGE", `the call's metadata is ${bytes} bytes; ${bound}`);
}

function deadlineError(): FarmError {
  return new FarmError("DEADLINE_EXCEEDED", "the call's deadline passed");
}
