/** The page that lists every metric: docs/reference/metrics.md. */
import type { Registry } from "@zfarm/runtime";
import { farmRegistries } from "./farm-registries.ts";

export interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** What each label may say. A label that is not here has no business in a metric. */
const labelValues: Readonly<Record<string, string>> = {
  app: "gateway, scheduler, gpu-worker",
  cause: "reasons of failures that are the worker's fault, in lower case",
  class: "interactive, standard, batch",
  code: "names of gRPC status codes",
  direction: "up, down, steady",
  fault: "none, task, farm",
  kind: "of placements warm, cold; of cold starts warm_node, new_node",
  log: "queue, outcomes, controls, policies, jobs, pools, loras, farm, leases",
  method: "the API's methods",
  node: "the release of Node",
  operation:
    "of the store: put, create, put_file, get, get_range, stat, remove; of logs: put, last, remove",
  outcome: "succeeded, failed, canceled, expired; of attempts also lost, handed_back, unknown",
  phase:
    "inside the worker process, engine, weights, session, warm_up; in a cluster node, image, " +
    "weights, worker",
  pool: "pools, which operators name",
  project: "the first 50 projects that a process has seen, and other",
  reason: "the farm's error codes, failures, waiting reasons or rules: closed sets of the code",
  result:
    "of requests for work granted, or why not; of deadlines met, missed; of scalings unchanged, " +
    "applied, conflict, failed; of latents resumed, missing, mismatch, damaged",
  round: "reconcile, sweep",
  stage: "queue, text_encode, denoise, vae_decode, encode_file, upload",
  state:
    "of apps starting, ready, stopping, stopped; of workers starting, ready, busy, draining, " +
    "quarantined, locked",
  table: "the scheduler's tables",
  tier: "device, ram, disk, store",
  version: "the release of the farm",
  what: "job, task, outcome, control, lora; removed, unusable",
};

const titles: Readonly<Record<string, string>> = {
  every: "Every service",
  gateway: "Gateway",
  scheduler: "Scheduler",
  worker: "Worker",
};

export async function listMetrics(registry: Registry): Promise<MetricRow[]> {
  const found = registry.getMetricsAsArray().map((metric) => ({
    name: metric.name,
    type: typeOf(metric),
    labels: "labelNames" in metric ? (metric.labelNames as string[]) : [],
    help: "help" in metric ? String(metric.help) : "",
  }));
  return found.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

function typeOf(metric: object): string {
  return metric.constructor.name.toLowerCase();
}

export async function metricPage(): Promise<string> {
  const parts = [
    "# Metrics",
    "",
    "What each process serves at `/metrics` on `OPS_PORT`. Base units; counters end in `_total`.",
    "Node's own metrics (`process_*`, `nodejs_*`) are there besides. A standby shows no gauges of",
    "the farm: only the leader knows them. The tests compare this page with the code.",
  ];
  const used = new Set<string>();
  for (const [service, registry] of farmRegistries()) {
    parts.push(
      "",
      `## ${titles[service]}`,
      "",
      "| metric | type | labels | what |",
      "|--|--|--|--|",
    );
    for (const { name, type, labels, help } of await listMetrics(registry)) {
      for (const label of labels) used.add(label);
      parts.push(`| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |`);
    }
  }
  parts.push("", "## Labels", "", "| label | values |", "|--|--|");
  for (const label of [...used].toSorted()) {
    parts.push(`| ${label} | ${labelValues[label] ?? "UNDOCUMENTED"} |`);
  }
  return `${parts.join("\n")}\n`;
}
