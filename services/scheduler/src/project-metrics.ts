/** What projects used, under names of a bounded number: the first ones seen, and `other`. */
import { limits, type Outcome } from "@zfarm/contract";
import { Counter, type Registry } from "@zfarm/runtime";
import { outcomeName } from "./slo-metrics.ts";

export interface ProjectMetrics {
  count(outcome: Outcome): void;
}

export function createProjectMetrics(registry: Registry): ProjectMetrics {
  const registers = [registry];
  const gpuSeconds = new Counter({
    name: "zfarm_project_gpu_seconds_total",
    help: "Device time of finished pictures by project; the last of many are `other`.",
    labelNames: ["project"],
    registers,
  });
  const tasks = new Counter({
    name: "zfarm_project_tasks_total",
    help: "Tasks that ended by project and how; the last of many projects are `other`.",
    labelNames: ["project", "outcome"],
    registers,
  });
  const named = new Set<string>();
  const nameOf = (project: string): string => {
    if (named.has(project)) return project;
    if (named.size >= limits.metricProjectsMax) return "other";
    named.add(project);
    return project;
  };
  return {
    count: (outcome) => {
      const project = nameOf(outcome.spec?.project ?? "");
      tasks.inc({ project, outcome: outcomeName(outcome.kind) });
      gpuSeconds.inc({ project }, deviceSeconds(outcome));
    },
  };
}

/** 0 where the worker did not measure, as for a task that was canceled before it began. */
function deviceSeconds({ image }: Outcome): number {
  const device = image?.timings?.device;
  return device === undefined ? 0 : Number(device.seconds) + device.nanos / 1e9;
}
