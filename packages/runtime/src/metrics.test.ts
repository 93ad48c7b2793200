import { expect, test } from "vitest";
import { Counter, Histogram, Registry, startAtZero } from "./metrics.ts";

test("a counter shows all combinations of its labels' values before any event", async () => {
  const registers = [new Registry()];
  const labelNames = ["method", "code"] as const;
  const calls = new Counter({ name: "calls_total", help: "Calls.", labelNames, registers });

  startAtZero(calls, { method: ["Get", "List"], code: ["OK", "UNKNOWN"] });

  expect((await calls.get()).values).toEqual([
    { labels: { method: "Get", code: "OK" }, value: 0 },
    { labels: { method: "Get", code: "UNKNOWN" }, value: 0 },
    { labels: { method: "List", code: "OK" }, value: 0 },
    { labels: { method: "List", code: "UNKNOWN" }, value: 0 },
  ]);
});

test("a histogram shows empty buckets", async () => {
  const registry = new Registry();
  const labelNames = ["tier"] as const;
  const told = { name: "load_seconds", help: "Loads.", labelNames, buckets: [1] };
  const loads = new Histogram({ ...told, registers: [registry] });

  startAtZero(loads, { tier: ["disk"] });

  const shown = (await registry.metrics()).split("\n").filter((line) => !line.startsWith("#"));
  expect(shown).toEqual([
    'load_seconds_bucket{le="1",tier="disk"} 0',
    'load_seconds_bucket{le="+Inf",tier="disk"} 0',
    'load_seconds_sum{tier="disk"} 0',
    'load_seconds_count{tier="disk"} 0',
    "",
  ]);
});
