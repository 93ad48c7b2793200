/**
 * Writes the events of one stream at the speed its client reads. grpc-js buffers 16 messages and
 * then says so; from there on certain events wait and droppable ones are dropped.
 */
import { once } from "node:events";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { GatewayMetrics } from "../metrics.ts";

export interface EventWriter<Event> {
  /** Sends for certain; waits while the client is behind. Throws when the call ends. */
  send(event: Event): Promise<void>;
  /** Sends if the client keeps up, else drops; says which. */
  offer(event: Event): boolean;
}

export function openEventWriter<Event>(
  call: ServerWritableStream<Buffer, Event>,
  signal: AbortSignal,
  metrics: Pick<GatewayMetrics, "progressDropped">,
): EventWriter<Event> {
  return {
    send: async (event) => {
      signal.throwIfAborted();
      if (!call.write(event)) await drained(call, signal);
    },
    offer: (event) => {
      if (signal.aborted || call.writableNeedDrain) {
        metrics.progressDropped.inc();
        return false;
      }
      call.write(event);
      return true;
    },
  };
}

async function drained<Event>(
  call: ServerWritableStream<Buffer, Event>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await once(call, "drain", { signal });
  } catch (error) {
    // The signal's own reason says why the call ended; Node's AbortError does not.
    signal.throwIfAborted();
    throw error;
  }
}
