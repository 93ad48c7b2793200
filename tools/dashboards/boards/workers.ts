/** What do workers do, and how do adapters get to them? */
import { type BoardSpec, namespaceVariable } from "../board.ts";
import { here, meanBy, quantileBy, rateBy } from "../queries.ts";

export const workers: BoardSpec = {
  id: "workers",
  title: "Workers and LoRAs",
  description: "How busy workers are, what their engines hold, and how adapters come and go.",
  variables: [namespaceVariable],
  rows: [
    {
      title: "Workers",
      panels: [
        {
          title: "Workers by state",
          description: "As the leader hears them.",
          unit: "short",
          isStacked: true,
          queries: [{ expr: `sum by (state) (zfarm_workers{${here}})`, legend: "{{state}}" }],
        },
        {
          title: "Busy",
          description: "Share of the time in which the engine ran a denoise step.",
          unit: "percentunit",
          queries: [
            { expr: rateBy("instance", "zfarm_denoise_step_seconds_sum"), legend: "{{instance}}" },
          ],
        },
        {
          title: "Pictures in a run",
          description: "Mean number of pictures that shared a denoise step.",
          unit: "short",
          queries: [{ expr: meanBy("", "zfarm_batch_size"), legend: "pictures" }],
        },
        {
          title: "Denoise step",
          description: "Time of one run, whatever the number of pictures in it.",
          unit: "s",
          queries: [
            { expr: quantileBy(0.5, "zfarm_denoise_step_seconds"), legend: "half" },
            { expr: quantileBy(0.99, "zfarm_denoise_step_seconds"), legend: "99 of 100" },
          ],
        },
        {
          title: "Memory of the engine",
          description: "In RAM; a device's own memory is below, where an exporter tells of it.",
          unit: "bytes",
          queries: [
            {
              expr: `max by (instance) (zfarm_engine_resident_bytes{${here}})`,
              legend: "{{instance}}",
            },
          ],
        },
        {
          title: "How attempts ended",
          description: "On the workers themselves.",
          unit: "ops",
          queries: [{ expr: rateBy("outcome", "zfarm_images_total"), legend: "{{outcome}}" }],
        },
      ],
    },
    {
      title: "Trouble",
      panels: [
        {
          title: "Failed attempts by reason",
          description: "As workers see them.",
          unit: "ops",
          queries: [
            {
              expr: `${rateBy("reason", "zfarm_attempt_failures_total")} > 0 or vector(0)`,
              legend: "{{reason}}",
            },
          ],
        },
        {
          title: "Engines started again",
          description: "After they ended: crashes, watchdogs, out of memory.",
          unit: "ops",
          queries: [{ expr: rateBy("", "zfarm_engine_restarts_total"), legend: "restarts" }],
        },
        {
          title: "Saved and lost work",
          description:
            "Steps that cancels saved; pictures finished after somebody else had ended their task.",
          unit: "ops",
          queries: [
            { expr: rateBy("", "zfarm_worker_steps_saved_total"), legend: "steps saved" },
            { expr: rateBy("", "zfarm_duplicate_results_total"), legend: "pictures too late" },
          ],
        },
      ],
    },
    {
      title: "LoRAs",
      panels: [
        {
          title: "Grants by warmth",
          description: "Stacks granted, by whether the worker had them on its device.",
          unit: "ops",
          isStacked: true,
          queries: [{ expr: rateBy("kind", "zfarm_lora_placements_total"), legend: "{{kind}}" }],
        },
        {
          title: "Where adapters were found",
          description: "Of granted tasks, the nearest tier.",
          unit: "ops",
          queries: [{ expr: rateBy("tier", "zfarm_worker_lora_uses_total"), legend: "{{tier}}" }],
        },
        {
          title: "Time to load",
          description: "One tier nearer, 95 of 100, by the tier it came from.",
          unit: "s",
          queries: [
            {
              expr: quantileBy(0.95, "zfarm_worker_lora_load_seconds", { labels: "tier" }),
              legend: "{{tier}}",
            },
          ],
        },
        {
          title: "Bytes on the shelves",
          description: "By the nearest tier.",
          unit: "bytes",
          queries: [
            { expr: `sum by (tier) (zfarm_worker_lora_bytes{${here}})`, legend: "{{tier}}" },
          ],
        },
        {
          title: "Pushed out",
          description: "Adapters that left a tier because others needed the room.",
          unit: "ops",
          queries: [
            {
              expr: `${rateBy("tier", "zfarm_worker_lora_evictions_total")} or vector(0)`,
              legend: "{{tier}}",
            },
          ],
        },
        {
          title: "Fetched ahead",
          description: "Adapters that were on their way before their task's turn.",
          unit: "ops",
          queries: [{ expr: rateBy("", "zfarm_lora_prewarms_total"), legend: "adapters" }],
        },
      ],
    },
    {
      title: "Devices (dcgm-exporter)",
      panels: [
        {
          title: "GPU use",
          description: "As the device says. Empty where no exporter of NVIDIA's runs.",
          unit: "percent",
          queries: [{ expr: `DCGM_FI_DEV_GPU_UTIL{${here}}`, legend: "{{Hostname}} {{gpu}}" }],
        },
        {
          title: "GPU memory",
          description: "In use on each device.",
          unit: "mbytes",
          queries: [{ expr: `DCGM_FI_DEV_FB_USED{${here}}`, legend: "{{Hostname}} {{gpu}}" }],
        },
        {
          title: "Power",
          description: "Watts of each device.",
          unit: "watt",
          queries: [{ expr: `DCGM_FI_DEV_POWER_USAGE{${here}}`, legend: "{{Hostname}} {{gpu}}" }],
        },
        {
          title: "Temperature",
          description: "Of each device; what is too hot slows down.",
          unit: "celsius",
          queries: [{ expr: `DCGM_FI_DEV_GPU_TEMP{${here}}`, legend: "{{Hostname}} {{gpu}}" }],
        },
        {
          title: "Errors of devices",
          description: "The number of the last XID that the driver told; 0 where there was none.",
          unit: "none",
          queries: [{ expr: `DCGM_FI_DEV_XID_ERRORS{${here}}`, legend: "{{Hostname}} {{gpu}}" }],
        },
      ],
    },
  ],
};
