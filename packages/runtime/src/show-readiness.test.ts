import { expect, test } from "vitest";
import { Registry } from "./metrics.ts";
import { showReadiness } from "./readiness.ts";

test("readiness is a metric that is asked for with each scrape", async () => {
  const registry = new Registry();
  let problems: string[] = [];
  showReadiness(registry, async () => problems);

  expect(await registry.metrics()).toContain("zfarm_app_ready 1");
  problems = ["the broker is away"];
  expect(await registry.metrics()).toContain("zfarm_app_ready 0");
});
