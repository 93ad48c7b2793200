/**
 * What all methods have in common: registration, metadata and deadline bounds, decoding, the
 * translation of failures, one log line and the metrics. A method itself is a function from a
 * decoded request to an answer, or to events.
 */
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import {
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { errorTable, FarmError } from "@zfarm/contract";
import type { Span } from "@zfarm/runtime";
import type { GatewayNeeds } from "../needs.ts";
import type { CallRegistry, DrainRule } from "./call-registry.ts";
import { type AnyCall, type CallScope, checkMetadata, openScope } from "./call-scope.ts";
import { beginCallSpan, endCallSpan } from "./call-span.ts";
import { type EventWriter, openEventWriter } from "./event-writer.ts";
import { toGrpcStatus } from "./grpc-error.ts";
import { readMessages } from "./read-messages.ts";

export interface Serving {
  readonly needs: GatewayNeeds;
  readonly calls: CallRegistry;
}

interface MethodBase<Request> {
  readonly name: string;
  readonly decode: (bytes: Buffer) => Request;
  /** Applies where the client names no deadline. */
  readonly deadlineMs: number;
  readonly drain: DrainRule;
}

export interface UnaryMethod<Request, Response> extends MethodBase<Request> {
  readonly run: (request: Request, scope: CallScope, needs: GatewayNeeds) => Promise<Response>;
  /**
   * What an abort does: "answer" tells the client at once while the work goes on to a safe end,
   * "handler" leaves it to the method.
   */
  readonly abort: "answer" | "handler";
}

export interface StreamMethod<Request, Event> extends MethodBase<Request> {
  readonly run: (
    request: Request,
    call: { readonly scope: CallScope; readonly events: EventWriter<Event> },
    needs: GatewayNeeds,
  ) => Promise<void>;
}

/** A method that takes a stream and answers once. */
export interface UploadMethod<Request, Response> extends MethodBase<Request> {
  readonly run: (
    requests: AsyncGenerator<Request, void>,
    scope: CallScope,
    needs: GatewayNeeds,
  ) => Promise<Response>;
}

export function serveUnary<Request, Response>(
  serving: Serving,
  method: UnaryMethod<Request, Response>,
): handleUnaryCall<Buffer, Response> {
  return (call, callback) => {
    const run = (scope: CallScope): Promise<Response> =>
      method.run(method.decode(call.request), scope, serving.needs);
    const onAbort = method.abort === "answer" ? "answer" : "wait";
    const answering: Answering<Response> = {
      answer: (response) => callback(null, response),
      fail: (error) => callback(toGrpcStatus(error)),
    };
    serveCall(serving, { call, method, run, onAbort }, answering);
  };
}

export function serveStream<Request, Event>(
  serving: Serving,
  method: StreamMethod<Request, Event>,
): handleServerStreamingCall<Buffer, Event> {
  return (call: ServerWritableStream<Buffer, Event>) => {
    const run = async (scope: CallScope): Promise<void> => {
      const events = openEventWriter(call, scope.signal, serving.needs.metrics);
      await method.run(method.decode(call.request), { scope, events }, serving.needs);
    };
    serveCall(
      serving,
      { call, method, run, onAbort: "wait" },
      {
        answer: () => call.end(),
        // grpc-js sends what was written before, then this status.
        fail: (error) => call.emit("error", toGrpcStatus(error)),
      },
    );
  };
}

export function serveUpload<Request, Response>(
  serving: Serving,
  method: UploadMethod<Request, Response>,
): handleClientStreamingCall<Buffer, Response> {
  return (call, callback) => {
    const run = async (scope: CallScope): Promise<Response> => {
      const { clock } = serving.needs;
      const requests = readMessages(call, method.decode, { signal: scope.signal, clock });
      try {
        return await method.run(requests, scope, serving.needs);
      } finally {
        await requests.return();
      }
    };
    const answering: Answering<Response> = {
      answer: (response) => callback(null, response),
      fail: (error) => callback(toGrpcStatus(error)),
    };
    serveCall(serving, { call, method, run, onAbort: "wait" }, answering);
  };
}

interface ServedCall<Response> {
  readonly call: AnyCall;
  readonly method: {
    readonly name: string;
    readonly deadlineMs: number;
    readonly drain: DrainRule;
  };
  readonly run: (scope: CallScope) => Promise<Response>;
  readonly onAbort: "answer" | "wait";
}

interface Answering<Response> {
  readonly answer: (response: Response) => void;
  readonly fail: (error: FarmError) => void;
}

function serveCall<Response>(
  { needs, calls }: Serving,
  { call, method, run, onAbort }: ServedCall<Response>,
  answering: Answering<Response>,
): void {
  const startedAt = needs.clock.monotonic();
  const span = beginCallSpan(needs.tracing, call);
  const open = openScope(call, { defaultMs: method.deadlineMs, clock: needs.clock, span });
  const finish = (error: FarmError | undefined): void => {
    report(needs, { method: method.name, startedAt, facts: open.facts, span }, error);
  };
  const serve = async (): Promise<void> => {
    let working: Promise<unknown> = Promise.resolve();
    let leave = (): void => undefined;
    needs.metrics.inFlight.inc({ method: method.name });
    try {
      leave = calls.enter({ rule: method.drain, end: open.end });
      checkMetadata(call.metadata);
      open.scope.signal.throwIfAborted();
      const running = run(open.scope);
      working = running;
      const response = onAbort === "wait" ? await running : await orAborted(running, open.scope);
      answering.answer(response);
      // The answer leaves first: writing a log line may take longer than sending it.
      await yieldToEventLoop();
      finish(undefined);
    } catch (thrown) {
      const error = FarmError.from(thrown);
      answering.fail(error);
      finish(error);
    }
    open.close();
    needs.metrics.inFlight.dec({ method: method.name });
    // The client has its answer, but a drain must wait for work that goes on behind it.
    await working.catch((error: unknown) => {
      if (onAbort === "answer") needs.log.debug({ error }, "work behind a call failed");
    });
    leave();
  };
  void serve();
}

/** The work's result, or the reason of the abort if that comes first. */
async function orAborted<Response>(
  running: Promise<Response>,
  { signal }: CallScope,
): Promise<Response> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([running, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** One line and one count per call. Client errors are the client's business: info, not warn. */
function report(
  { log, metrics, clock }: GatewayNeeds,
  call: {
    readonly method: string;
    readonly startedAt: number;
    readonly facts: object;
    readonly span: Span;
  },
  error: FarmError | undefined,
): void {
  const code = status[error === undefined ? status.OK : errorTable[error.code].grpc];
  const durationMs = Math.round((clock.monotonic() - call.startedAt) * 10) / 10;
  metrics.requests.inc({ method: call.method, code });
  if (call.method !== "WatchJob") {
    metrics.duration.observe({ method: call.method }, durationMs / 1_000);
  }
  endCallSpan(call.span, code, error?.code);
  const { ids } = call.span;
  const fields = { method: call.method, code, duration_ms: durationMs, ...call.facts, ...ids };
  if (error === undefined) {
    log.info(fields, "call served");
    return;
  }
  metrics.refusals.inc({ reason: error.code });
  const violations = error.violations.map(({ field, reason }) => `${field} ${reason}`);
  const told = { ...fields, reason: error.code, violations };
  if (error.code === "INTERNAL") log.error({ ...told, error }, "call failed");
  else log.info(told, "call refused");
}
