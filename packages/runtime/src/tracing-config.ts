/** Where traces go and which are kept, in the environment variables that OpenTelemetry names. */
import type { EnvReader } from "./env.ts";

export interface TracingConfig {
  /** Where spans are posted, OTLP over HTTP with protobuf. */
  readonly url: string;
  /** Share of the traces that begin here and are kept; those of callers are kept as they say. */
  readonly ratio: number;
  /** Whether a caller's wish counts. */
  readonly followsParent: boolean;
  readonly scheduleMs: number;
  readonly queueSpansMax: number;
  readonly batchSpansMax: number;
}

const samplers = [
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
  "always_on",
  "always_off",
  "traceidratio",
] as const;

/** Undefined, and tracing off, where no endpoint is named. Other signals are not sent by OTLP. */
export function readTracing(reader: EnvReader): TracingConfig | undefined {
  const isDisabled = reader.boolean("OTEL_SDK_DISABLED", false);
  const exporter = reader.choice("OTEL_TRACES_EXPORTER", ["otlp", "none"], "otlp");
  const url = readUrl(reader);
  reader.choice("OTEL_EXPORTER_OTLP_PROTOCOL", ["http/protobuf"], "http/protobuf");
  reader.choice("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", ["http/protobuf"], "http/protobuf");
  const sampler = reader.choice("OTEL_TRACES_SAMPLER", samplers, "parentbased_always_on");
  const queueSpansMax = reader.integer("OTEL_BSP_MAX_QUEUE_SIZE", {
    default: 2_048,
    min: 1,
    max: 65_536,
  });
  const config = {
    ratio: readRatio(reader, sampler),
    followsParent: sampler.startsWith("parentbased"),
    scheduleMs: reader.integer("OTEL_BSP_SCHEDULE_DELAY", { default: 5_000, min: 10, max: 60_000 }),
    queueSpansMax,
    batchSpansMax: reader.integer("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", {
      default: Math.min(512, queueSpansMax),
      min: 1,
      max: queueSpansMax,
    }),
  };
  return url === undefined || isDisabled || exporter === "none" ? undefined : { url, ...config };
}

/** The traces' own endpoint stands as it is, the common one gets the path of the signal. */
function readUrl(reader: EnvReader): string | undefined {
  const schemes = ["http", "https"];
  if (reader.has("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) {
    return reader.url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", { schemes });
  }
  if (!reader.has("OTEL_EXPORTER_OTLP_ENDPOINT")) return undefined;
  const base = reader.url("OTEL_EXPORTER_OTLP_ENDPOINT", { schemes });
  return `${base.replace(/\/$/, "")}/v1/traces`;
}

function readRatio(reader: EnvReader, sampler: (typeof samplers)[number]): number {
  const text = reader.optionalText("OTEL_TRACES_SAMPLER_ARG", {
    pattern: /^(0(\.\d+)?|1(\.0+)?)$/,
    rule: "a number 0 to 1",
  });
  if (sampler.endsWith("always_off")) return 0;
  return sampler.endsWith("traceidratio") && text !== undefined ? Number(text) : 1;
}
