/** A unary call, repeated where that is harmless. */
import { FarmError } from "@zfarm/contract";
import type { CallOptions } from "./call-options.ts";
import { callUnary, type StartUnary } from "./calls.ts";
import { Retry, type RetryOptions } from "./retry.ts";

/** Sends a call until it is answered, refused or out of tries. */
export async function retried<Response>(
  options: CallOptions,
  start: StartUnary<Response>,
): Promise<Response> {
  const bounds = boundsOf(options);
  const retry = new Retry(bounds);
  for (;;) {
    try {
      return await callUnary(start, bounds);
    } catch (thrown) {
      await retry.afterFailure(failureOf(thrown, bounds));
    }
  }
}

/** The deadline is taken once, so that retries share it. */
export function boundsOf({ signal, timeoutMs }: CallOptions): RetryOptions {
  return { signal, deadline: timeoutMs === undefined ? undefined : Date.now() + timeoutMs };
}

/** The failure to decide on; an abort by the caller is none and goes straight to it. */
export function failureOf(thrown: unknown, { signal }: RetryOptions): FarmError {
  signal?.throwIfAborted();
  return FarmError.from(thrown);
}
