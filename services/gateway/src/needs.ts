/** What the methods of the gateway work with: one object, handed to each of them. */
import type { BlobStore } from "@zfarm/blobs";
import type { Broker } from "@zfarm/broker";
import type { Clock, Log, Tracing } from "@zfarm/runtime";
import type { DrainEstimate } from "./admission/drain-estimate.ts";
import type { JobManifests } from "./admission/job-manifests.ts";
import type { KnownPools } from "./admission/known-pools.ts";
import type { ProjectQuotas } from "./admission/project-quotas.ts";
import type { QueueRoom } from "./admission/queue-room.ts";
import type { LoraGate } from "./loras/gate.ts";
import type { LoraFinder } from "./loras/lora-finder.ts";
import type { LoraRegistry } from "./loras/lora-registry.ts";
import type { UploadFolder } from "./loras/upload-folder.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { OutcomeFeed } from "./outcome-feed.ts";

export interface GatewayNeeds {
  readonly broker: Pick<
    Broker,
    "queue" | "outcomes" | "controls" | "policies" | "jobs" | "progress" | "queries" | "problem"
  >;
  readonly pools: Pick<KnownPools, "find" | "list">;
  readonly quotas: Pick<ProjectQuotas, "isBounded" | "reserve">;
  readonly room: Pick<QueueRoom, "take">;
  /** Where DURABILITY=manifest keeps jobs; undefined where the broker alone keeps them. */
  readonly manifests: JobManifests | undefined;
  readonly drain: Pick<DrainEstimate, "estimateMs">;
  readonly feed: Pick<OutcomeFeed, "open" | "admitted" | "recordOf" | "outcomesOf" | "follow">;
  readonly blobs: Pick<BlobStore, "get" | "url" | "stat" | "putFile">;
  readonly registry: Pick<LoraRegistry, "find" | "list" | "check" | "add" | "change">;
  readonly loras: Pick<LoraFinder, "find" | "findAll">;
  readonly uploads: Pick<UploadFolder, "receive">;
  readonly gate: LoraGate;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly tracing: Tracing;
}
