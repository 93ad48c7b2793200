/** Do the broker and the object store keep up? */
import { type BoardSpec, namespaceVariable } from "../board.ts";
import { here, quantileBy, rateBy } from "../queries.ts";

/** What the exporter calls a gauge and is a count: Prometheus warns of a rate of it. */
const slopeOf = (metric: string) => `clamp_min(deriv(${metric}{${here}}[$__rate_interval]), 0)`;

export const storage: BoardSpec = {
  id: "storage",
  title: "Broker and store",
  description: "What the farm asks of NATS and of the object store, and how they answer.",
  variables: [namespaceVariable],
  rows: [
    {
      title: "Object store",
      panels: [
        {
          title: "Requests",
          description: "By operation.",
          unit: "ops",
          queries: [
            {
              expr: rateBy("operation", "zfarm_store_request_seconds_count"),
              legend: "{{operation}}",
            },
          ],
        },
        {
          title: "Time of a request",
          description: "95 of 100, its repetitions included.",
          unit: "s",
          queries: [
            {
              expr: quantileBy(0.95, "zfarm_store_request_seconds", { labels: "operation" }),
              legend: "{{operation}}",
            },
          ],
        },
        {
          title: "Requests that failed",
          description: "For good; attempts whose upload fails go back into the queue.",
          unit: "ops",
          queries: [
            { expr: rateBy("operation", "zfarm_store_errors_total"), legend: "{{operation}}" },
          ],
        },
        {
          title: "Swept and put back",
          description: "Objects that nothing points to any more; what manifests put back.",
          unit: "ops",
          queries: [{ expr: rateBy("", "zfarm_objects_swept_total"), legend: "objects swept" }],
        },
        {
          title: "Uploads of adapters",
          description: "Bytes that the gateways took in.",
          unit: "Bps",
          queries: [{ expr: rateBy("", "zfarm_lora_upload_bytes_total"), legend: "bytes" }],
        },
      ],
    },
    {
      title: "Broker",
      panels: [
        {
          title: "Requests to the broker",
          description: "By log: the queue, outcomes, records of jobs and their like.",
          unit: "ops",
          queries: [
            { expr: rateBy("log", "zfarm_broker_request_seconds_count"), legend: "{{log}}" },
          ],
        },
        {
          title: "Time of a request to the broker",
          description: "95 of 100, its repetitions included.",
          unit: "s",
          queries: [
            {
              expr: quantileBy(0.95, "zfarm_broker_request_seconds", { labels: "log" }),
              legend: "{{log}}",
            },
          ],
        },
        {
          title: "Trouble with the broker",
          description: "Requests that failed for good, and connections that broke.",
          unit: "ops",
          queries: [
            { expr: rateBy("log", "zfarm_broker_errors_total"), legend: "{{log}} failed" },
            { expr: rateBy("", "zfarm_broker_disconnects_total"), legend: "disconnects" },
          ],
        },
      ],
    },
    {
      title: "Broker (nats-exporter)",
      panels: [
        {
          title: "JetStream on the disk",
          description: "Of each server. Empty where no exporter of NATS runs.",
          unit: "bytes",
          queries: [{ expr: `nats_varz_jetstream_stats_storage{${here}}`, legend: "{{instance}}" }],
        },
        {
          title: "Messages",
          description: "In and out of each server.",
          unit: "ops",
          queries: [
            {
              expr: slopeOf("nats_varz_in_msgs"),
              legend: "{{instance}} in",
            },
            {
              expr: slopeOf("nats_varz_out_msgs"),
              legend: "{{instance}} out",
            },
          ],
        },
        {
          title: "Connections",
          description: "To each server.",
          unit: "short",
          queries: [{ expr: `nats_varz_connections{${here}}`, legend: "{{instance}}" }],
        },
      ],
    },
  ],
};
