import {
  defaultPool,
  FarmError,
  type ScalingReply,
  type WorkerId,
  WorkerState,
} from "@zfarm/contract";
import { Registry, silentLog, systemClock } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver, only } from "../../testing/drive-core.ts";
import { defaultGoals } from "../domain/autoscale/pool-goals.ts";
import type { SchedulerEffect } from "../domain/scheduler-effect.ts";
import type { Actuator, PoolFleet, PoolScaling, ScalingResult } from "./actuator.ts";
import { AutoscaleLoop, type AutoscaleTerm } from "./autoscale-loop.ts";
import { createAutoscaleMetrics } from "./autoscale-metrics.ts";
import type { AutoscalerConfig } from "./autoscaler-config.ts";
import { createNoActuator } from "./no-actuator.ts";

/** Hands over workers that are there as soon as they are asked for. */
class ObedientHands implements Actuator {
  readonly name = "kubernetes";
  readonly orders: PoolScaling[] = [];
  target: number;
  result: ScalingResult = "applied";
  trouble: FarmError | undefined;

  constructor(target: number) {
    this.target = target;
  }

  observe(): Promise<readonly PoolFleet[]> {
    if (this.trouble !== undefined) return Promise.reject(this.trouble);
    const members = Array.from({ length: this.target }, (_, place) => ({
      worker: `w${place + 1}` as WorkerId,
      phase: "ready" as const,
      createdAt: 0,
    }));
    return Promise.resolve([{ pool: defaultPool, target: this.target, members }]);
  }

  apply(scaling: PoolScaling): Promise<ScalingResult> {
    this.orders.push(scaling);
    if (scaling.desired === this.target) return Promise.resolve("unchanged");
    return Promise.resolve(this.result);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface Run {
  readonly core: CoreDriver;
  readonly actuator: Actuator;
  readonly ticks?: number;
  readonly config?: Partial<AutoscalerConfig>;
  /** Called instead of a wait between ticks. */
  readonly between?: (tick: number) => void;
}

/** Runs so many ticks without waiting between them; gives what was reported after the last. */
async function run({ core, actuator, ticks = 1, config, between }: Run) {
  const registry = new Registry();
  const goals = { ...defaultGoals, warm: 0 };
  const pools = new Map([[defaultPool, { target: "w", goals }]]);
  const loop = new AutoscaleLoop({
    config: { actuator: "none", tickMs: 5_000, pools, ...config },
    actuator,
    metrics: createAutoscaleMetrics(registry),
  });
  const ended = new AbortController();
  let reply: ScalingReply = loop.report();
  const effects: SchedulerEffect[] = [];
  let count = 0;
  let shown = "";
  const clock = {
    ...systemClock,
    monotonic: () => count * 5_000,
    sleep: async () => {
      count += 1;
      reply = loop.report();
      shown = await registry.metrics();
      between?.(count);
      if (count >= ticks) ended.abort();
    },
  };
  const term = {
    needs: { clock, log: silentLog },
    ended: ended.signal,
    scheduler: core.scheduler,
    decide: (event: Parameters<AutoscaleTerm["decide"]>[0]) =>
      void effects.push(...core.step(event)),
  };
  await loop.run(term);
  return { reply, shown, after: await registry.metrics(), loop, effects };
}

describe("the autoscaler's loop", () => {
  test("asks for workers when work waits", async () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(100, { steps: 50, width: 1_024, height: 1_024 }));
    const actuator = new ObedientHands(0);

    const { reply } = await run({ core, actuator });

    expect(actuator.orders[0]?.desired).toBeGreaterThan(1);
    expect(reply.pools).toMatchObject([{ pool: "default", result: "applied", target: 0 }]);
  });

  test("takes away whoever is idle, and gives it nothing from then on", async () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    core.beat("w2", []);
    const actuator = new ObedientHands(2);
    const down = { ticks: 60, between: () => void core.beat("w1", []) };

    await run({ core, actuator, ...down });

    const first = actuator.orders.find(({ victims }) => victims.length > 0);
    expect(first).toMatchObject({ desired: 1, target: 2 });
    core.store(buildTask(0));
    expect(core.askFor(first?.victims[0] ?? "")).toBeUndefined();
  });

  test("only recommends without hands, for every pool there is", async () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);
    core.store(buildTask(0, { pool: "other" }));
    const none: Actuator = {
      name: "none",
      observe: () => Promise.resolve([]),
      apply: () => Promise.reject(new FarmError("INTERNAL", "nothing may be done")),
      close: () => Promise.resolve(),
    };

    const { reply } = await run({ core, actuator: none, ticks: 60, config: { pools: new Map() } });

    expect(reply).toMatchObject({
      actuator: "none",
      pools: [
        { pool: "default", target: 1, result: "" },
        { pool: "other", desired: 1, target: 0 },
      ],
    });
    core.store(buildTask(0, { job: "k" }));
    expect(core.askFor("w1")).toBeDefined();
  });

  test("advises a pool that no file speaks of without a bound of its own", async () => {
    const core = CoreDriver.leading();
    for (let worker = 1; worker <= 30; worker += 1) core.beat(`w${worker}`, []);
    const none = createNoActuator();

    const { reply } = await run({ core, actuator: none, config: { pools: new Map() } });

    expect(reply.pools).toMatchObject([{ desired: 30, target: 30, reason: "hold" }]);
  });

  test("calls back whom an earlier leader was taking away when there is work", async () => {
    const core = CoreDriver.leading(2n);
    core.beat("w1", [], WorkerState.DRAINING);
    core.store(buildTask(0));

    const { effects } = await run({ core, actuator: new ObedientHands(1) });

    expect(only(effects, "control-resume")).toMatchObject([{ worker: "w1", reason: "scaling" }]);
  });

  test("leaves alone whom an operator drains", async () => {
    const core = CoreDriver.leading();
    core.workerPolicy("w1", { draining: true });
    core.beat("w1", [], WorkerState.DRAINING);
    core.store(buildTask(0));
    const actuator = new ObedientHands(1);

    const { effects } = await run({ core, actuator });

    expect(effects).toEqual([]);
    expect(actuator.orders[0]).toMatchObject({ desired: 2, target: 1 });
  });

  test("holds what there is while the workers cannot be seen, and does nothing", async () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(100));
    const actuator = new ObedientHands(3);
    actuator.trouble = new FarmError("BROKER_UNAVAILABLE", "the API server does not answer");

    const { reply, shown } = await run({ core, actuator, ticks: 6 });

    expect(actuator.orders).toEqual([]);
    expect(reply.pools).toMatchObject([{ reason: "stale" }]);
    expect(shown).toMatch(/zfarm_autoscale_observe_failures_total 6/);
  });

  test("tries again at the next tick what was in conflict", async () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const actuator = new ObedientHands(0);
    actuator.result = "conflict";

    const { shown } = await run({ core, actuator, ticks: 3 });

    expect(actuator.orders.map(({ desired }) => desired)).toEqual([1, 1, 1]);
    expect(shown).toMatch(/zfarm_autoscale_apply_total\{result="conflict"\} 3/);
  });

  test("shows its decisions as long as it leads, and nothing afterwards", async () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));

    const { shown, after, loop } = await run({ core, actuator: new ObedientHands(0) });

    expect(shown).toMatch(/zfarm_autoscale_desired_workers\{pool="default"\} 1/);
    expect(shown).toMatch(
      /zfarm_autoscale_decisions_total\{pool="default",direction="up",reason="\w+"\} 1/,
    );
    expect(after).not.toMatch(/zfarm_autoscale_desired_workers\{/);
    expect(loop.report().pools).toEqual([]);
  });
});
