/** The messages of a client stream, until it ends, falls silent, or the call is over. */
import type { ServerReadableStream } from "@grpc/grpc-js";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

export interface ReadNeeds {
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** Ends with the signal's reason, or DEADLINE_EXCEEDED after a silence. */
export async function* readMessages<Request>(
  call: ServerReadableStream<Buffer, unknown>,
  decode: (bytes: Buffer) => Request,
  { signal, clock }: ReadNeeds,
): AsyncGenerator<Request, void> {
  const messages = call[Symbol.asyncIterator]();
  // A race against a promise that lives as long as the call would keep every message in memory.
  const onAbort = (): void => void call.destroy(FarmError.from(signal.reason));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await withinIdle(messages.next(), clock);
      if (next.done === true) return;
      yield decode(next.value);
    }
  } catch (error) {
    // A caller that leaves breaks the stream before anybody says so.
    signal.throwIfAborted();
    throw call.cancelled ? new FarmError("TASK_CANCELED", "the caller left") : error;
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Nobody reads what may still come.
    call.destroy();
  }
}

async function withinIdle<T>(waiting: Promise<T>, clock: Clock): Promise<T> {
  const over = new AbortController();
  const silence = Promise.withResolvers<never>();
  void clock.sleep(limits.loraUploadIdleMs, over.signal).then(() => {
    if (over.signal.aborted) return;
    const seconds = limits.loraUploadIdleMs / 1_000;
    silence.reject(new FarmError("DEADLINE_EXCEEDED", `nothing came for ${seconds} s`));
  });
  try {
    return await Promise.race([waiting, silence.promise]);
  } finally {
    over.abort();
  }
}
