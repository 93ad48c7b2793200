/** Puts a gateway together inside an app, whoever opened the broker and the store. */
import type { BlobStore } from "@zfarm/blobs";
import type { Broker } from "@zfarm/broker";
import type { App } from "@zfarm/runtime";
import { DrainEstimate } from "./admission/drain-estimate.ts";
import { JobManifests } from "./admission/job-manifests.ts";
import { KnownPools } from "./admission/known-pools.ts";
import { ProjectQuotas } from "./admission/project-quotas.ts";
import { QueueRoom } from "./admission/queue-room.ts";
import type { GatewayConfig } from "./config.ts";
import { LoraCopies } from "./loras/lora-copies.ts";
import { LoraFinder } from "./loras/lora-finder.ts";
import { LoraRegistry } from "./loras/lora-registry.ts";
import { threadGate } from "./loras/thread-gate.ts";
import { UploadFolder } from "./loras/upload-folder.ts";
import { createGatewayMetrics } from "./metrics.ts";
import { OutcomeFeed } from "./outcome-feed.ts";
import { openServer } from "./server.ts";
import { untilRestored } from "./until-restored.ts";

export async function wireGateway(
  app: App,
  config: GatewayConfig,
  needs: { readonly broker: Broker; readonly blobs: BlobStore },
): Promise<{ readonly port: number }> {
  const { broker, blobs } = needs;
  const log = app.log.child({ part: "gateway" });
  const metrics = createGatewayMetrics(app.registry);
  const { clock, tracing } = app;
  const pools = new KnownPools(broker.pools, clock);
  const quotas = new ProjectQuotas({ broker, log });
  app.spawn("follow-policies", (stop) => quotas.follow(stop));
  app.spawn("broker-state", (stop) => broker.untilLost(stop));
  const keeps = config.durability === "manifest";
  const manifests = keeps ? new JobManifests(blobs, broker.outcomes) : undefined;
  if (keeps) await untilRestored({ farm: broker.farm, clock, log }, app.stop);
  const drain = new DrainEstimate(broker.outcomes, clock);
  // Opened before the server, so that it outlives the calls of a drain.
  const collecting = OutcomeFeed.start({ outcomes: broker.outcomes, log });
  const feed = await app.open("outcome-feed", collecting, (open) => open.close());
  const copies = keeps ? new LoraCopies(blobs, broker.loras) : undefined;
  const registry = new LoraRegistry({ records: broker.loras, copies, clock });
  const uploads = await UploadFolder.open(config.uploadDir);
  const finder = new LoraFinder(broker.loras, clock);
  const adapters = { registry, uploads, loras: finder, gate: threadGate };
  const stores = { broker, blobs, manifests };
  const serving = {
    ...stores,
    ...adapters,
    pools,
    quotas,
    room: new QueueRoom(broker.queries, clock),
    drain,
    feed,
    clock,
    log,
    metrics,
    tracing,
  };
  const opening = openServer(serving, config);
  const server = await app.open("gateway-server", opening, (opened) => opened.stop());
  app.ready(() => broker.problem() ?? quotas.problem());
  return { port: server.port };
}
