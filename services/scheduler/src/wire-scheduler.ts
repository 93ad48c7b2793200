/** Puts the scheduler together inside an app. */
import type { BlobStore } from "@zfarm/blobs";
import { type Broker, copyOutcomes } from "@zfarm/broker";
import { type App, invariant } from "@zfarm/runtime";
import type { SchedulerConfig } from "./config.ts";
import { StoreKeeper } from "./keep-store.ts";
import { leadLoop } from "./lead-loop.ts";
import { createSchedulerMetrics } from "./metrics.ts";
import { createStoreMetrics } from "./store-metrics.ts";

interface SchedulerNeeds {
  readonly broker: Broker;
  readonly blobs?: BlobStore;
}

/** A leader and a standby are ready alike, but for a leader that restores what was lost. */
export async function wireScheduler(
  app: App,
  config: SchedulerConfig,
  { broker, blobs }: SchedulerNeeds,
): Promise<void> {
  const metrics = createSchedulerMetrics(app.registry);
  const needs = {
    broker: copying(config, { broker, blobs }),
    clock: app.clock,
    log: app.log,
    metrics,
  };
  const store = blobs && new StoreKeeper(blobs, createStoreMetrics(app.registry));
  app.ready(() => broker.problem());
  app.ready(() => store?.problem());
  app.spawn("broker-state", (stop) => broker.untilLost(stop));
  app.spawn("lead", (stop) =>
    leadLoop({ ...needs, ...(store === undefined ? {} : { store }) }, config.candidate, stop),
  );
}

/** The broker, whose outcomes are copied where the farm keeps manifests. */
function copying(
  { durability }: SchedulerConfig,
  { broker, blobs }: { readonly broker: Broker; readonly blobs: BlobStore | undefined },
): Broker {
  if (durability === "stream") return broker;
  invariant(blobs !== undefined, "a scheduler of a farm with manifests has an object store");
  return { ...broker, outcomes: copyOutcomes(broker.outcomes, blobs) };
}
