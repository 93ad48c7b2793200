/** One gRPC call as a promise or as an async iterable, ended by a signal. */
import { once } from "node:events";
import {
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  type CallOptions as GrpcCallOptions,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { toFarmError } from "./service-error.ts";

export interface CallBounds {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds since the epoch; undefined leaves it to the farm. */
  readonly deadline: number | undefined;
}

export type StartUnary<Response> = (
  metadata: Metadata,
  options: GrpcCallOptions,
  done: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

export type StartStream<Event> = (
  metadata: Metadata,
  options: GrpcCallOptions,
) => ClientReadableStream<Event>;

export type StartUpload<Request, Response> = (
  metadata: Metadata,
  options: GrpcCallOptions,
  done: (error: ServiceError | null, response: Response) => void,
) => ClientWritableStream<Request>;

export async function callUnary<Response>(
  start: StartUnary<Response>,
  { signal, deadline }: CallBounds,
): Promise<Response> {
  signal?.throwIfAborted();
  const done = Promise.withResolvers<Response>();
  const call = start(new Metadata(), grpcOptions(deadline), (error, response) => {
    if (error === null) done.resolve(response);
    else done.reject(error);
  });
  return await untilDone(call, signal, () => done.promise);
}

/** Leaving the loop cancels the call. */
export async function* callStream<Event>(
  start: StartStream<Event>,
  { signal, deadline }: CallBounds,
): AsyncGenerator<Event, void> {
  signal?.throwIfAborted();
  const call = start(new Metadata(), grpcOptions(deadline));
  // Cancelling makes the stream fail once more, after nobody listens.
  call.on("error", () => undefined);
  const cancel = (): void => call.cancel();
  signal?.addEventListener("abort", cancel);
  try {
    for await (const event of call) yield event;
  } catch (error) {
    signal?.throwIfAborted();
    throw toFarmError(error);
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.cancel();
  }
}

/** Sends the requests as fast as the farm takes them; an answer that comes early ends it. */
export async function callUpload<Request, Response>(
  start: StartUpload<Request, Response>,
  requests: AsyncIterable<Request>,
  { signal, deadline }: CallBounds,
): Promise<Response> {
  signal?.throwIfAborted();
  const done = Promise.withResolvers<Response>();
  const answered = new AbortController();
  const call = start(new Metadata(), grpcOptions(deadline), (error, response) => {
    answered.abort();
    if (error === null) done.resolve(response);
    else done.reject(error);
  });
  return await untilDone(call, signal, async () => {
    try {
      // What ends the call is told by its answer; only trouble with the requests themselves is not.
      await Promise.race([done.promise, sendAll(call, requests, answered.signal)]);
      return await done.promise;
    } finally {
      done.promise.catch(() => undefined);
      call.cancel();
    }
  });
}

/** The result; the signal cancels the call, and its reason goes before what the call fails with. */
async function untilDone<Result>(
  call: { cancel(): void },
  signal: AbortSignal | undefined,
  run: () => Promise<Result>,
): Promise<Result> {
  const cancel = (): void => call.cancel();
  signal?.addEventListener("abort", cancel);
  try {
    return await run();
  } catch (error) {
    signal?.throwIfAborted();
    throw toFarmError(error);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

async function sendAll<Request>(
  call: ClientWritableStream<Request>,
  requests: AsyncIterable<Request>,
  answered: AbortSignal,
): Promise<void> {
  call.on("error", () => undefined);
  for await (const request of requests) {
    if (answered.aborted) return;
    if (call.write(request)) continue;
    // A call that has its answer never drains.
    await once(call, "drain", { signal: answered }).catch(() => undefined);
  }
  if (!answered.aborted) call.end();
}

function grpcOptions(deadline: number | undefined): GrpcCallOptions {
  return deadline === undefined ? {} : { deadline };
}
