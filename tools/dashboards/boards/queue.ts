/** Why do tasks wait, and does every project get its share? */
import { type BoardSpec, namespaceVariable, poolVariable } from "../board.ts";
import { here, inPool, meanBy, quantileBy, rateBy } from "../queries.ts";

export const queue: BoardSpec = {
  id: "queue",
  title: "Queue and fairness",
  description: "Why tasks wait, for how long, who draws how much, and how grants are made.",
  variables: [namespaceVariable, poolVariable],
  rows: [
    {
      title: "Waiting",
      panels: [
        {
          title: "Waiting by reason",
          description: "Each waiting task under the one reason that binds it.",
          unit: "short",
          isStacked: true,
          queries: [
            { expr: `sum by (reason) (zfarm_tasks_waiting{${inPool}})`, legend: "{{reason}}" },
          ],
        },
        {
          title: "Oldest task",
          description: "Since the acceptance of the oldest task that could be granted.",
          unit: "s",
          queries: [
            {
              expr: `max by (pool, class) (zfarm_oldest_task_age_seconds{${inPool}})`,
              legend: "{{pool}} {{class}}",
            },
          ],
        },
        {
          title: "Backlog",
          description: "Device time of what waits, as predicted.",
          unit: "s",
          queries: [
            { expr: `sum by (pool) (zfarm_backlog_gpu_seconds{${inPool}})`, legend: "{{pool}}" },
          ],
        },
        {
          title: "Waiting and running",
          description: "Tasks without a worker and with one.",
          unit: "short",
          queries: [
            {
              expr: `sum by (pool) (zfarm_requests_waiting{${inPool}})`,
              legend: "{{pool}} waiting",
            },
            {
              expr: `sum by (pool) (zfarm_requests_running{${inPool}})`,
              legend: "{{pool}} running",
            },
          ],
        },
        {
          title: "Time in line",
          description: "How long a task waited in the leader's line until it was granted.",
          unit: "s",
          queries: [
            { expr: quantileBy(0.5, "zfarm_scheduler_time_to_assign_seconds"), legend: "half" },
            {
              expr: quantileBy(0.99, "zfarm_scheduler_time_to_assign_seconds"),
              legend: "99 of 100",
            },
          ],
        },
        {
          title: "Deadlines",
          description: "Tasks with a deadline that ended, by whether it was met.",
          unit: "ops",
          queries: [{ expr: rateBy("result", "zfarm_task_deadlines_total"), legend: "{{result}}" }],
        },
      ],
    },
    {
      title: "Shares",
      panels: [
        {
          title: "Device time by project",
          description: "GPU-seconds a second: the share that each project draws.",
          unit: "short",
          isStacked: true,
          queries: [
            {
              expr: `topk(15, ${rateBy("project", "zfarm_project_gpu_seconds_total")})`,
              legend: "{{project}}",
            },
          ],
        },
        {
          title: "Tasks by project",
          description: "Tasks that ended.",
          unit: "ops",
          isStacked: true,
          queries: [
            {
              expr: `topk(15, ${rateBy("project", "zfarm_project_tasks_total")})`,
              legend: "{{project}}",
            },
          ],
        },
        {
          title: "Tasks in a grant",
          description: "Mean number of tasks that were granted together.",
          unit: "short",
          queries: [
            {
              expr: meanBy("", "zfarm_scheduler_grant_tasks"),
              legend: "tasks",
            },
          ],
        },
      ],
    },
    {
      title: "Scheduler",
      panels: [
        {
          title: "Answers to requests for work",
          description: "Grants, and why there was nothing to grant.",
          unit: "ops",
          queries: [
            { expr: rateBy("result", "zfarm_scheduler_assignments_total"), legend: "{{result}}" },
          ],
        },
        {
          title: "Tasks that came back",
          description: "Without an outcome, by cause: drains are harmless, silent workers are not.",
          unit: "ops",
          queries: [{ expr: rateBy("reason", "zfarm_redeliveries_total"), legend: "{{reason}}" }],
        },
        {
          title: "Prediction error",
          description: "How far predicted device time was off, half and 9 of 10.",
          unit: "percentunit",
          queries: [
            { expr: quantileBy(0.5, "zfarm_scheduler_prediction_error_ratio"), legend: "half" },
            { expr: quantileBy(0.9, "zfarm_scheduler_prediction_error_ratio"), legend: "9 of 10" },
          ],
        },
        {
          title: "Leader",
          description: "Which process leads; its epoch grows with every term.",
          unit: "short",
          queries: [{ expr: `zfarm_scheduler_leader{${here}} > 0`, legend: "{{instance}}" }],
        },
        {
          title: "Steps of the core",
          description: "Time of one decision, half and 99 of 100. Grants wait for it.",
          unit: "s",
          queries: [
            { expr: quantileBy(0.5, "zfarm_scheduler_step_seconds"), legend: "half" },
            { expr: quantileBy(0.99, "zfarm_scheduler_step_seconds"), legend: "99 of 100" },
          ],
        },
        {
          title: "Tables",
          description: "What the leader keeps in memory; most of it empties with the farm.",
          unit: "short",
          queries: [
            {
              expr: `sum by (table) (zfarm_scheduler_table_entries{${here}})`,
              legend: "{{table}}",
            },
          ],
        },
        {
          title: "Writes tried again",
          description: "Writes of the leader to the broker that failed at first.",
          unit: "ops",
          queries: [{ expr: rateBy("", "zfarm_scheduler_write_retries_total"), legend: "writes" }],
        },
      ],
    },
  ],
};
