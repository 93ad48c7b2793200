import { Registry } from "@zfarm/runtime";
import { describe, expect, it } from "vitest";
import { measureStart } from "./start-metrics.ts";

const hasProc = process.platform === "linux";

async function valueOf(registry: Registry, series: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.split(" ")[1]);
}

describe("the metrics of a worker's start", () => {
  it("tell apart what the process, the engine and each part of the model took", async () => {
    const registry = new Registry();
    const phases = { processMs: 500, weightsMs: 250, sessionMs: 12_500, warmUpMs: 0 };
    measureStart({ registry }).loaded({ phases, pid: undefined });

    const secondsOf = (phase: string) =>
      valueOf(registry, `zfarm_worker_cold_start_seconds{phase="${phase}"}`);
    expect(await secondsOf("process")).toBeGreaterThan(0);
    expect(await secondsOf("engine")).toBe(0.5);
    expect(await secondsOf("weights")).toBe(0.25);
    expect(await secondsOf("session")).toBe(12.5);
    expect(await secondsOf("warm_up")).toBe(0);
  });

  it.runIf(hasProc)(
    "tell the engine's memory as the kernel does, and none of no engine",
    async () => {
      const registry = new Registry();
      const engine: { phases: undefined; pid: number | undefined } = {
        phases: undefined,
        pid: process.pid,
      };
      measureStart({ registry }).loaded(engine);

      const bytes = await valueOf(registry, "zfarm_engine_resident_bytes");
      const { rss } = process.memoryUsage();
      expect(bytes).toBeGreaterThan(rss / 2);
      expect(bytes).toBeLessThan(rss * 2);
      engine.pid = undefined;
      expect(await valueOf(registry, "zfarm_engine_resident_bytes")).toBeUndefined();
    },
  );
});
