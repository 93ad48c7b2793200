/** The gateway's metrics. Labels come from closed sets: methods, gRPC codes, error codes. */
import {
  errorTable,
  FleetServiceService,
  JobServiceService,
  LoraServiceService,
  RenderServiceService,
} from "@zfarm/contract";
import { Counter, Gauge, Histogram, type Registry, startAtZero } from "@zfarm/runtime";

export interface GatewayMetrics {
  readonly requests: Counter<"method" | "code">;
  readonly refusals: Counter<"reason">;
  readonly duration: Histogram<"method">;
  readonly inFlight: Gauge<"method">;
  readonly watchers: Gauge;
  readonly tasksAdmitted: Counter;
  readonly jobsUndone: Counter;
  readonly progressDropped: Counter;
  readonly loraBytes: Counter;
  readonly loraGate: Histogram;
}

const services = [RenderServiceService, JobServiceService, FleetServiceService, LoraServiceService];
const methods = services.flatMap((service) =>
  Object.values(service).map(({ path }) => path.slice(path.lastIndexOf("/") + 1)),
);

/** How calls end well, and how they end by the farm's fault: alerts compare the two. */
const codes = ["OK", "UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

/** Seconds: from a lookup on the same machine to a render that waited for its turn. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600];

export function createGatewayMetrics(registry: Registry): GatewayMetrics {
  const metrics = createMetrics(registry);
  startAtZero(metrics.requests, { method: methods, code: codes });
  startAtZero(metrics.refusals, { reason: Object.keys(errorTable) });
  return metrics;
}

function createMetrics(registry: Registry): GatewayMetrics {
  const registers = [registry];
  return {
    requests: new Counter({
      name: "zfarm_requests_total",
      help: "gRPC calls that ended, by method and gRPC status.",
      labelNames: ["method", "code"],
      registers,
    }),
    refusals: new Counter({
      name: "zfarm_request_errors_total",
      help: "gRPC calls that ended with an error, by the farm's error code.",
      labelNames: ["reason"],
      registers,
    }),
    duration: new Histogram({
      name: "zfarm_request_e2e_seconds",
      help: "From the arrival of a call to its end, watches excepted.",
      labelNames: ["method"],
      buckets: durationBuckets,
      registers,
    }),
    inFlight: new Gauge({
      name: "zfarm_requests_in_flight",
      help: "gRPC calls that have begun and not ended.",
      labelNames: ["method"],
      registers,
    }),
    watchers: new Gauge({
      name: "zfarm_watchers",
      help: "WatchJob calls being served.",
      registers,
    }),
    tasksAdmitted: new Counter({
      name: "zfarm_tasks_admitted_total",
      help: "Tasks stored in the queue for accepted jobs.",
      registers,
    }),
    jobsUndone: new Counter({
      name: "zfarm_jobs_undone_total",
      help: "Jobs refused halfway whose stored tasks were canceled again.",
      registers,
    }),
    progressDropped: new Counter({
      name: "zfarm_progress_dropped_total",
      help: "Progress events not sent because their client read too slowly.",
      registers,
    }),
    loraBytes: new Counter({
      name: "zfarm_lora_upload_bytes_total",
      help: "Bytes of adapters' files that were taken in, refused ones too.",
      registers,
    }),
    loraGate: new Histogram({
      name: "zfarm_lora_gate_seconds",
      help: "Time that the gate took to look at an adapter's file, refused ones too.",
      buckets: durationBuckets,
      registers,
    }),
  };
}
