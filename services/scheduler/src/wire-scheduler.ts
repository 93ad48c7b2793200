/** Puts the scheduler together inside an app. */
import type { BlobStore } from "@zfarm/blobs";
import { type Broker, copyOutcomes, type OutcomeLog } from "@zfarm/broker";
import { shardOf } from "@zfarm/contract";
import { type App, invariant } from "@zfarm/runtime";
import { AutoscaleLoop } from "./autoscale/autoscale-loop.ts";
import { createAutoscaleMetrics } from "./autoscale/autoscale-metrics.ts";
import { openActuator } from "./autoscale/open-actuator.ts";
import { BeatEars } from "./beat-ears.ts";
import type { SchedulerConfig } from "./config.ts";
import { shareGauges } from "./gauge-share.ts";
import { StoreKeeper } from "./keep-store.ts";
import { leadLoop } from "./lead-loop.ts";
import { LostOutcomes } from "./lost-outcomes.ts";
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
  const { clock, log, registry, tracing } = app;
  const { shards } = broker;
  const metrics = createSchedulerMetrics(registry);
  metrics.shards.set(shards);
  const storeMetrics = createStoreMetrics(registry);
  const autoscaler = shards === 1 ? await openAutoscaler(app, config, broker) : undefined;
  app.ready(() => broker.problem());
  app.spawn("broker-state", (stop) => broker.untilLost(stop));
  // Every process stands for every shard: which of them leads which is decided by chance.
  for (let shard = 0; shard < shards; shard += 1) {
    const isOwn = (project: string): boolean => shardOf(project, shards) === shard;
    const seen = shards === 1 ? broker : broker.shard(shard);
    const outcomes = outcomesOf(config, { broker: seen, blobs, clock, log });
    const store =
      blobs && new StoreKeeper({ blobs, metrics: storeMetrics, isOwn, outcomes: outcomes.copied });
    const ears = new BeatEars({ link: seen.link, clock, log });
    const needs = {
      broker: { ...seen, outcomes: outcomes.lost ?? outcomes.copied },
      ears,
      clock,
      tracing,
      log: shards === 1 ? log : log.child({ shard }),
      metrics: shards === 1 ? metrics : shareGauges(metrics),
      ...(store === undefined ? {} : { store }),
      ...(outcomes.lost === undefined ? {} : { lost: outcomes.lost }),
      ...(autoscaler === undefined ? {} : { autoscaler }),
    };
    app.ready(() => store?.problem());
    app.spawn(`lead-${shard}`, (stop) =>
      leadLoop(needs, config.candidate, stop).finally(() => ears.close()),
    );
  }
}

/** One leader sees the whole backlog only where there is one shard. */
async function openAutoscaler(
  app: App,
  { autoscaler }: SchedulerConfig,
  { queries }: Broker,
): Promise<AutoscaleLoop> {
  const metrics = createAutoscaleMetrics(app.registry);
  const opening = openActuator(app, { config: autoscaler, queries });
  const actuator = await app.open("actuator", opening, (open) => open.close());
  app.ready(() => actuator.problem?.());
  return new AutoscaleLoop({ config: autoscaler, actuator, metrics });
}

interface OutcomeParts extends Pick<App, "clock" | "log"> {
  readonly broker: Broker;
  readonly blobs: BlobStore | undefined;
}

/** Where the farm keeps manifests outcomes are copied, and those that got lost are sought. */
function outcomesOf(
  { durability }: SchedulerConfig,
  { broker: { outcomes }, blobs, ...rest }: OutcomeParts,
): { readonly copied: OutcomeLog; readonly lost?: LostOutcomes } {
  if (durability === "stream") return { copied: outcomes };
  invariant(blobs !== undefined, "a scheduler of a farm with manifests has an object store");
  const copied = copyOutcomes(outcomes, blobs);
  return { copied, lost: new LostOutcomes(copied, { blobs, ...rest }) };
}
