import { Registry } from "@zfarm/runtime";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, it } from "vitest";
import { measureStart } from "./start-metrics.ts";

const hasProc = process.platform === "linux";

async function valueOf(registry: Registry, series: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.split(" ")[1]);
}

describe("the metrics of a worker's start", () => {
  it("tell the time until the model was there from the time before the engine", async () => {
    const registry = new Registry();
    const clock = createManualClock();
    const start = measureStart({ clock, registry });
    await clock.advance(2_500);
    start.loaded(() => undefined);

    const series = (phase: string) => `zfarm_worker_cold_start_seconds{phase="${phase}"}`;
    expect(await valueOf(registry, series("model"))).toBe(2.5);
    expect(await valueOf(registry, series("process"))).toBeGreaterThan(0);
  });

  it.runIf(hasProc)(
    "tell the engine's memory as the kernel does, and none of no engine",
    async () => {
      const registry = new Registry();
      let engine: number | undefined = process.pid;
      measureStart({ clock: createManualClock(), registry }).loaded(() => engine);

      const bytes = await valueOf(registry, "zfarm_engine_resident_bytes");
      const { rss } = process.memoryUsage();
      expect(bytes).toBeGreaterThan(rss / 2);
      expect(bytes).toBeLessThan(rss * 2);
      engine = undefined;
      expect(await valueOf(registry, "zfarm_engine_resident_bytes")).toBeUndefined();
    },
  );
});
