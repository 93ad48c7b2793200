/** Spans by the SDK of OpenTelemetry, sent by OTLP. Loaded only where tracing is on. */
import {
  type Attributes,
  type Context,
  DiagLogLevel,
  diag,
  type Span as OtelSpan,
  SpanKind as OtelSpanKind,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Log } from "./log.ts";
import { formatTraceParent, parseTraceParent } from "./traceparent.ts";
import type { Span, SpanFacts, SpanKind, SpanOptions, Tracing } from "./tracing.ts";
import type { TracingConfig } from "./tracing-config.ts";

export interface OtelTracing extends Tracing {
  /** Sends what has ended; spans that are still under way are lost. */
  close(): Promise<void>;
}

export function openOtelTracing(
  config: TracingConfig,
  { name, log }: { readonly name: string; readonly log: Log },
): OtelTracing {
  const { scheduleMs, queueSpansMax, batchSpansMax } = config;
  tellTroubles(log);
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: config.url }),
    scheduledDelayMillis: scheduleMs,
    maxQueueSize: queueSpansMax,
    maxExportBatchSize: batchSpansMax,
  });
  const own = { "service.name": `zfarm-${name}`, "service.namespace": "zfarm" };
  // OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME go before what is said here.
  const named = detectResources({
    detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector],
  });
  const provider = new TracerProvider({
    sampler: samplerOf(config),
    resource: defaultResource().merge(resourceFromAttributes(own)).merge(named),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer("zfarm");
  return {
    isOn: true,
    begin: (spanName, parent, options = {}) =>
      beginSpan(tracer, spanName, { context: contextOf(parent), ...options }),
    close: () => provider.shutdown(),
  };
}

/** Spans that cannot be sent are dropped after a while; the farm works on. */
function tellTroubles(log: Log): void {
  const tell = (trouble: string): void => log.warn({ trouble }, "traces are in trouble");
  const silent = (): void => undefined;
  const logger = { error: tell, warn: tell, info: silent, debug: silent, verbose: silent };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

function samplerOf({ ratio, followsParent }: TracingConfig): Sampler {
  const root = new TraceIdRatioBasedSampler(ratio);
  return followsParent ? new ParentBasedSampler({ root }) : root;
}

function contextOf(traceparent: string | undefined): Context {
  const parent = parseTraceParent(traceparent);
  if (parent === undefined) return ROOT_CONTEXT;
  const traceFlags = parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags, isRemote: true });
}

const kinds = {
  internal: OtelSpanKind.INTERNAL,
  server: OtelSpanKind.SERVER,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
} satisfies Record<SpanKind, OtelSpanKind>;

function beginSpan(
  tracer: Tracer,
  name: string,
  { context, kind = "internal", startMs, facts = {} }: SpanOptions & { readonly context: Context },
): Span {
  const attributes = attributesOf(facts);
  const timing = startMs === undefined ? {} : { startTime: startMs };
  const span = tracer.startSpan(name, { kind: kinds[kind], attributes, ...timing }, context);
  return wrap(tracer, span);
}

function wrap(tracer: Tracer, span: OtelSpan): Span {
  const { traceId, spanId } = span.spanContext();
  const isKept = span.isRecording();
  return {
    traceparent: isKept ? formatTraceParent({ traceId, spanId, sampled: true }) : undefined,
    ids: isKept ? { trace_id: traceId, span_id: spanId } : {},
    child: (name, options = {}) =>
      beginSpan(tracer, name, { context: trace.setSpan(ROOT_CONTEXT, span), ...options }),
    set: (facts) => void span.setAttributes(attributesOf(facts)),
    event: (name, facts = {}, atMs) => void span.addEvent(name, attributesOf(facts), atMs),
    fail: (reason) => void span.setStatus({ code: SpanStatusCode.ERROR, message: reason }),
    end: (endMs) => span.end(endMs),
  };
}

function attributesOf(facts: SpanFacts): Attributes {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as Attributes;
}
