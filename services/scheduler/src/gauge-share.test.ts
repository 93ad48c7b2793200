import { Registry } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { shareGauges } from "./gauge-share.ts";
import { createSchedulerMetrics } from "./metrics.ts";

describe("gauges of a process that leads several shards", () => {
  test("show the sum of its terms, and forget a term that has ended", async () => {
    const metrics = createSchedulerMetrics(new Registry());
    const [one, two] = [shareGauges(metrics), shareGauges(metrics)];
    const shown = async () => {
      const { values } = await metrics.waiting.get();
      return Object.fromEntries(values.map(({ labels, value }) => [labels.pool, value]));
    };

    one.waiting.set({ pool: "default" }, 5);
    two.waiting.set({ pool: "default" }, 7);
    two.waiting.set({ pool: "night" }, 1);
    one.waiting.set({ pool: "default" }, 2);
    one.leader.set(1);
    two.leader.set(1);

    expect(await shown()).toEqual({ default: 9, night: 1 });
    expect((await metrics.leader.get()).values).toMatchObject([{ value: 2 }]);
    two.waiting.reset();
    two.leader.set(0);
    expect(await shown()).toEqual({ default: 2, night: 0 });
    expect((await metrics.leader.get()).values).toMatchObject([{ value: 1 }]);
  });
});
