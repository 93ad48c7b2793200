/** What does one project see of the farm? */
import { type BoardSpec, namespaceVariable } from "../board.ts";
import { here, quantileBy, rateBy } from "../queries.ts";

const own = `${here}, project=~"$project"`;
const ofAll = rateBy("", "zfarm_project_gpu_seconds_total");
const gpuSeconds = rateBy("project", "zfarm_project_gpu_seconds_total", own);

export const project: BoardSpec = {
  id: "project",
  title: "A project's view",
  description: "What a project draws, what it costs, and how soon the farm starts its tasks.",
  variables: [
    namespaceVariable,
    {
      name: "project",
      label: "Project",
      query: `label_values(zfarm_project_tasks_total{${here}}, project)`,
    },
    { name: "gpu_hour_price", label: "Price of a GPU-hour", value: "2" },
  ],
  rows: [
    {
      title: "What it draws",
      panels: [
        {
          title: "Tasks that ended",
          description: "By outcome.",
          unit: "ops",
          isStacked: true,
          queries: [
            {
              expr: rateBy("project, outcome", "zfarm_project_tasks_total", own),
              legend: "{{project}} {{outcome}}",
            },
          ],
        },
        {
          title: "Device time",
          description: "GPU-seconds a second.",
          unit: "short",
          queries: [{ expr: gpuSeconds, legend: "{{project}}" }],
        },
        {
          title: "Share of the farm",
          description: "Of the device time that all projects draw.",
          unit: "percentunit",
          queries: [
            {
              expr: `${gpuSeconds} / on () group_left () (${ofAll} > 0)`,
              legend: "{{project}}",
            },
          ],
        },
        {
          title: "Cost an hour",
          description: "Device time at the price above.",
          unit: "currencyUSD",
          queries: [{ expr: `$gpu_hour_price * ${gpuSeconds}`, legend: "{{project}}" }],
        },
        {
          title: "How soon tasks start",
          description: "Of the whole farm, 95 of 100, by class.",
          unit: "s",
          queries: [
            {
              expr: quantileBy(0.95, "zfarm_task_start_seconds", { labels: "class" }),
              legend: "{{class}}",
            },
          ],
        },
      ],
    },
  ],
};
