/** One gRPC call as a promise or as an async iterable, ended by a signal. */
import {
  type ClientReadableStream,
  type ClientUnaryCall,
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
  const cancel = (): void => call.cancel();
  signal?.addEventListener("abort", cancel);
  try {
    return await done.promise;
  } catch (error) {
    signal?.throwIfAborted();
    throw toFarmError(error);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
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

function grpcOptions(deadline: number | undefined): GrpcCallOptions {
  return deadline === undefined ? {} : { deadline };
}
