/** How many workers are wanted, are there, and why? */
import { type BoardSpec, namespaceVariable, poolVariable } from "../board.ts";
import { here, inPool, rateBy } from "../queries.ts";

const gauge = (name: string, legend: string) => ({
  expr: `sum by (pool) (zfarm_autoscale_${name}_workers{${inPool}})`,
  legend: `{{pool}} ${legend}`,
});

const arrival = "zfarm_autoscale_predicted_arrival_gpu_seconds_per_second";

export const autoscaler: BoardSpec = {
  id: "autoscaler",
  title: "Autoscaler",
  description: "What the autoscaler wants, what there is, and which rule decided.",
  variables: [namespaceVariable, poolVariable],
  rows: [
    {
      title: "Workers",
      panels: [
        {
          title: "Desired, target, ready",
          description:
            "Desired above target: something holds it. Target above ready: starting, or no room.",
          unit: "short",
          queries: [
            gauge("desired", "desired"),
            gauge("target", "target"),
            gauge("ready", "ready"),
          ],
        },
        {
          title: "On their way",
          description: "Starting, without a place in the cluster, crashing, or leaving.",
          unit: "short",
          queries: [
            gauge("starting", "starting"),
            gauge("unschedulable", "without a place"),
            gauge("crashing", "crashing"),
            gauge("retiring", "leaving"),
          ],
        },
        {
          title: "Work that comes and work that waits",
          description: "Device time that comes a second, as predicted; beside it the backlog.",
          unit: "short",
          queries: [
            {
              expr: `sum by (pool) (${arrival}{${inPool}})`,
              legend: "{{pool}} comes",
            },
            {
              expr: `sum by (pool) (zfarm_backlog_gpu_seconds{${inPool}})`,
              legend: "{{pool}} waits",
            },
          ],
        },
      ],
    },
    {
      title: "Decisions",
      panels: [
        {
          title: "Decisions by reason",
          description: "Which rule set the number of workers.",
          unit: "ops",
          isStacked: true,
          queries: [
            {
              expr: rateBy("direction, reason", "zfarm_autoscale_decisions_total", inPool),
              legend: "{{direction}} {{reason}}",
            },
          ],
        },
        {
          title: "What became of them",
          description: "Conflicts heal by themselves; failures do not.",
          unit: "ops",
          queries: [
            { expr: rateBy("result", "zfarm_autoscale_apply_total"), legend: "{{result}}" },
          ],
        },
        {
          title: "Looks that failed",
          description: "While nobody can tell what there is, nothing is changed.",
          unit: "ops",
          queries: [
            { expr: rateBy("", "zfarm_autoscale_observe_failures_total"), legend: "looks" },
          ],
        },
      ],
    },
    {
      title: "Cold start",
      panels: [
        {
          title: "From asking to ready",
          description: "As 8 of 10 workers do, by whether a node was there already.",
          unit: "s",
          queries: [
            {
              expr: `max by (pool, kind) (zfarm_autoscale_cold_start_seconds{${inPool}})`,
              legend: "{{pool}} {{kind}}",
            },
          ],
        },
        {
          title: "Phases in the cluster",
          description:
            "Node, image, weights brought by a container, worker. Empty where no cluster tells.",
          unit: "s",
          isStacked: true,
          queries: [
            {
              expr: `max by (phase) (zfarm_autoscale_start_phase_seconds{${inPool}})`,
              legend: "{{phase}}",
            },
          ],
        },
        {
          title: "Phases inside the worker",
          description: "Its process, the engine's; checks of weights, sessions, a first picture.",
          unit: "s",
          isStacked: true,
          queries: [
            {
              expr: `avg by (phase) (zfarm_worker_cold_start_seconds{${here}})`,
              legend: "{{phase}}",
            },
          ],
        },
      ],
    },
  ],
};
