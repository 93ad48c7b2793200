import { limits, type Outcome, OutcomeKind } from "@zfarm/contract";
import { Registry } from "@zfarm/runtime";
import { someOutcome } from "@zfarm/testing";
import { describe, expect, it } from "vitest";
import { createProjectMetrics } from "./project-metrics.ts";

const outcomeOf = (project: string): Outcome => {
  const { spec, ...rest } = someOutcome();
  if (spec === undefined) throw new TypeError("an outcome has a spec");
  return { ...rest, spec: { ...spec, project }, kind: OutcomeKind.CANCELED };
};

describe("metrics of projects", () => {
  it("keep the first names and put every later project under `other`", async () => {
    const registry = new Registry();
    const metrics = createProjectMetrics(registry);
    for (let index = 0; index < limits.metricProjectsMax + 3; index += 1) {
      metrics.count(outcomeOf(`project-${index}`));
    }
    metrics.count(outcomeOf("project-0"));

    const text = await registry.metrics();
    const series = text.match(/^zfarm_project_tasks_total\{.*$/gm) ?? [];
    expect(series).toHaveLength(limits.metricProjectsMax + 1);
    expect(series).toContain('zfarm_project_tasks_total{project="other",outcome="canceled"} 3');
    expect(series).toContain('zfarm_project_tasks_total{project="project-0",outcome="canceled"} 2');
  });
});
