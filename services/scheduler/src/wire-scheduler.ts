/** Puts the scheduler together inside an app. */
import type { Broker } from "@zfarm/broker";
import type { App } from "@zfarm/runtime";
import type { SchedulerConfig } from "./config.ts";
import { leadLoop } from "./lead-loop.ts";
import { createSchedulerMetrics } from "./metrics.ts";

/** A leader and a standby are ready alike: each only needs the broker. */
export async function wireScheduler(
  app: App,
  config: SchedulerConfig,
  { broker }: { readonly broker: Broker },
): Promise<void> {
  const metrics = createSchedulerMetrics(app.registry);
  const needs = { broker, clock: app.clock, log: app.log, metrics };
  app.ready(() => broker.problem());
  app.spawn("lead", (stop) => leadLoop(needs, config.candidate, stop));
}
