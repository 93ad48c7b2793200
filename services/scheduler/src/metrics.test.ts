import type { PoolId } from "@zfarm/contract";
import { Registry } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver } from "../testing/drive-core.ts";
import { createSchedulerMetrics, hideFarm, showFarm } from "./metrics.ts";

async function showOneWorker() {
  const registry = new Registry();
  const metrics = createSchedulerMetrics(registry);
  const core = CoreDriver.leading();
  core.store(buildTask(0), buildTask(1));
  core.beat("w1", []);
  core.takeOne("w1");
  showFarm(metrics, {
    pools: core.scheduler.measurePools(),
    workers: core.scheduler.countWorkers(),
    tables: core.scheduler.countTables(),
  });
  return { registry, metrics };
}

describe("the gauges of the farm", () => {
  test("show waiting and running tasks and the workers by state", async () => {
    const { registry } = await showOneWorker();

    const text = await registry.metrics();

    const pool = "default" as PoolId;
    expect(text).toContain(`zfarm_requests_waiting{pool="${pool}"} 1`);
    expect(text).toContain(`zfarm_requests_running{pool="${pool}"} 1`);
    expect(text).toContain('zfarm_workers{state="ready"} 1');
    expect(text).toContain('zfarm_scheduler_table_entries{table="tasks"} 2');
  });

  test("show nothing on a standby", async () => {
    const { registry, metrics } = await showOneWorker();

    hideFarm(metrics);

    expect(await registry.metrics()).not.toContain("zfarm_requests_waiting{");
  });
});
