/** Answers KEDA: the metric is the number of workers wanted, of which each replica is one. */
import {
  type handleUnaryCall,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { errorTable, FarmError, limits } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import type {
  ExternalScalerServer,
  IsActiveResponse,
  ScaledObjectRef,
} from "../../gen/externalscaler.ts";
import type { AskedWorkers } from "./asked-workers.ts";

export interface ExternalScalerNeeds {
  readonly asked: Pick<AskedWorkers, "of">;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the streams. */
  readonly stop: AbortSignal;
}

const metricName = "zfarm-workers";

export function createExternalScaler(needs: ExternalScalerNeeds): ExternalScalerServer {
  const askedOf = async (ref: ScaledObjectRef | undefined): Promise<number> =>
    needs.asked.of(readPool(ref));
  let streams = 0;
  return {
    isActive: unary(needs, async (ref) => ({ result: (await askedOf(ref)) > 0 })),
    getMetricSpec: unary(needs, async (ref) => {
      // Where nobody leads this fails too: given this and no number, KEDA's fallback takes a pool
      // without workers for wanted.
      await askedOf(ref);
      return { metricSpecs: [{ metricName, targetSize: 1n, targetSizeFloat: 1 }] };
    }),
    getMetrics: unary(needs, async ({ scaledObjectRef }) => {
      const workers = await askedOf(scaledObjectRef);
      const metricValue = BigInt(workers);
      return { metricValues: [{ metricName, metricValue, metricValueFloat: workers }] };
    }),
    streamIsActive: (call) => {
      if (streams >= limits.kedaStreamsMax) {
        const details = `${streams} streams are open, and at most ${limits.kedaStreamsMax} may be`;
        call.emit("error", { code: status.RESOURCE_EXHAUSTED, details });
        return;
      }
      streams += 1;
      push(needs, call)
        .catch((error: unknown) => call.emit("error", refuse(needs.log, error)))
        .finally(() => {
          streams -= 1;
        });
    },
  };
}

/**
 * Tells whether there should be a worker, at once and whenever that changes, and nothing while
 * nobody knows: after each stream that ends with an error KEDA waits twice as long, up to a minute.
 */
async function push(
  { asked, clock, stop }: ExternalScalerNeeds,
  call: ServerWritableStream<ScaledObjectRef, IsActiveResponse>,
): Promise<void> {
  const over = new AbortController();
  call.once("cancelled", () => over.abort());
  const ended = AbortSignal.any([stop, over.signal]);
  const pool = readPool(call.request);
  let told: boolean | undefined;
  while (!ended.aborted) {
    const result = await isWanted(asked, pool);
    if (result !== undefined && result !== told) call.write({ result });
    told = result ?? told;
    await clock.sleep(limits.kedaKnownMs, ended);
  }
  call.end();
}

/** Undefined where that may be known a moment later. */
async function isWanted(
  asked: Pick<AskedWorkers, "of">,
  pool: string,
): Promise<boolean | undefined> {
  try {
    return (await asked.of(pool)) > 0;
  } catch (error) {
    if (error instanceof FarmError && errorTable[error.code].retry) return undefined;
    throw error;
  }
}

function readPool(ref: ScaledObjectRef | undefined): string {
  const pool = ref?.scalerMetadata.get("pool") ?? "";
  if (pool !== "") return pool;
  const message = "the trigger's metadata has no pool";
  throw new FarmError("INVALID_REQUEST", message, {
    violations: [{ field: "metadata.pool", reason: "REQUIRED", description: message }],
  });
}

function unary<Request, Response>(
  { log }: ExternalScalerNeeds,
  answer: (request: Request) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  const serve = async (
    call: ServerUnaryCall<Request, Response>,
    callback: sendUnaryData<Response>,
  ): Promise<void> => {
    let response: Response;
    try {
      response = await answer(call.request);
    } catch (error) {
      callback(refuse(log, error));
      return;
    }
    callback(null, response);
  };
  return (call, callback) => void serve(call, callback);
}

/** KEDA keeps what there is while it gets errors, as its fallback says. */
function refuse(log: Log, thrown: unknown): Partial<StatusObject> {
  const error = FarmError.from(thrown);
  const { grpc } = errorTable[error.code];
  if (grpc === status.INTERNAL) log.error({ error }, "answer to KEDA failed");
  return { code: grpc, details: error.message };
}
