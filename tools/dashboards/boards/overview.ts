/** Is the farm well, how much does it draw, and what does a picture cost? */
import { type BoardSpec, namespaceVariable } from "../board.ts";
import { here, meanBy, quantileBy, rateBy } from "../queries.ts";

const gpuSeconds = rateBy("", "zfarm_gpu_seconds_total");
const pictures = rateBy("", "zfarm_task_outcomes_total", `${here}, outcome="succeeded"`);

/** What may go wrong, of all: the objectives of deploy/helm/zfarm/files/rules/recording.yaml. */
const budgets = { interactive_start: 0.01, tasks_end: 0.001, submit: 0.001 };

export const overview: BoardSpec = {
  id: "overview",
  title: "Farm overview",
  description: "Whether the farm keeps its promises, how much it draws, and what that costs.",
  variables: [
    namespaceVariable,
    { name: "gpu_hour_price", label: "Price of a GPU-hour", value: "2" },
  ],
  rows: [
    {
      title: "Now",
      panels: [
        {
          title: "Pictures a minute",
          description: "Finished pictures, all pools.",
          unit: "short",
          isStat: true,
          queries: [{ expr: `60 * ${pictures}`, legend: "" }],
        },
        {
          title: "Waiting",
          description: "Tasks that no worker holds.",
          unit: "short",
          isStat: true,
          queries: [{ expr: `sum(zfarm_requests_waiting{${here}})`, legend: "" }],
        },
        {
          title: "Backlog",
          description: "Device time of what waits: divided by the workers it is the time to drain.",
          unit: "s",
          isStat: true,
          queries: [{ expr: `sum(zfarm_backlog_gpu_seconds{${here}})`, legend: "" }],
        },
        {
          title: "Workers",
          description: "Workers that the leader hears.",
          unit: "short",
          isStat: true,
          queries: [{ expr: `sum(zfarm_workers{${here}})`, legend: "" }],
        },
        {
          title: "1,000 pictures cost",
          description:
            "Device time of finished pictures at the price above. Idle workers come on top.",
          unit: "currencyUSD",
          isStat: true,
          queries: [
            {
              expr: `1000 * $gpu_hour_price / 3600 * ${gpuSeconds} / (${pictures} > 0)`,
              legend: "",
            },
          ],
        },
        {
          title: "Leaders",
          description: "Shards that have one: 1 without shards; 0 or 2 for seconds at a change.",
          unit: "short",
          isStat: true,
          queries: [{ expr: `sum(zfarm_scheduler_leader{${here}})`, legend: "" }],
        },
      ],
    },
    {
      title: "Promises",
      panels: [
        {
          title: "Error budget burn",
          description:
            "Errors over what is allowed: 1 spends the budget of 30 days in 30 days, 14.4 in two.",
          unit: "short",
          queries: Object.entries(budgets).map(([slo, budget]) => ({
            expr: `max(zfarm:slo_errors:ratio_rate1h{${here}, slo="${slo}"}) / ${budget}`,
            legend: slo,
          })),
        },
        {
          title: "Time to start",
          description: "From acceptance to the first grant, of 95 in 100 tasks.",
          unit: "s",
          queries: [
            {
              expr: quantileBy(0.95, "zfarm_task_start_seconds", { labels: "class" }),
              legend: "{{class}}",
            },
          ],
        },
        {
          title: "Failures",
          description: "Failed tasks a second, by whose fault.",
          unit: "ops",
          queries: [
            {
              expr: rateBy("fault", "zfarm_task_outcomes_total", `${here}, outcome="failed"`),
              legend: "{{fault}}",
            },
          ],
        },
      ],
    },
    {
      title: "Calls and pictures",
      panels: [
        {
          title: "Calls",
          description: "gRPC calls that ended, by method.",
          unit: "ops",
          queries: [{ expr: rateBy("method", "zfarm_requests_total"), legend: "{{method}}" }],
        },
        {
          title: "Refused and failed calls",
          description: "By gRPC status; INVALID_ARGUMENT and its like are the callers' own.",
          unit: "ops",
          queries: [
            {
              expr: rateBy("code", "zfarm_requests_total", `${here}, code!="OK"`),
              legend: "{{code}}",
            },
          ],
        },
        {
          title: "Tasks that ended",
          description: "By outcome.",
          unit: "ops",
          isStacked: true,
          queries: [
            { expr: rateBy("outcome", "zfarm_task_outcomes_total"), legend: "{{outcome}}" },
          ],
        },
        {
          title: "Stages of a picture",
          description: "Mean time of each stage, from acceptance to upload.",
          unit: "s",
          isStacked: true,
          queries: [
            {
              expr: meanBy("stage", "zfarm_stage_seconds"),
              legend: "{{stage}}",
            },
          ],
        },
        {
          title: "From acceptance to picture",
          description: "Of 95 in 100 finished pictures, by class.",
          unit: "s",
          queries: [
            {
              expr: quantileBy(0.95, "zfarm_task_e2e_seconds", { labels: "class" }),
              legend: "{{class}}",
            },
          ],
        },
        {
          title: "Megapixels of a picture",
          description: "Mean of finished pictures: device time grows faster than they do.",
          unit: "short",
          queries: [{ expr: `${meanBy("", "zfarm_image_pixels")} / 1e6`, legend: "megapixels" }],
        },
        {
          title: "Steps of a picture",
          description: "Mean of finished pictures: each costs device time.",
          unit: "short",
          queries: [{ expr: meanBy("", "zfarm_inference_steps"), legend: "steps" }],
        },
        {
          title: "Pictures a minute and device",
          description: "Finished pictures over the device time they took.",
          unit: "short",
          queries: [{ expr: `60 * ${pictures} / (${gpuSeconds} > 0)`, legend: "pictures" }],
        },
        {
          title: "Ready processes",
          description: "Of each app, the share that takes work.",
          unit: "percentunit",
          queries: [{ expr: `avg by (job) (zfarm_app_ready{${here}})`, legend: "{{job}}" }],
        },
      ],
    },
  ],
};
