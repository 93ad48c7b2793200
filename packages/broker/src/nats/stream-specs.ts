/**
 * The farm's streams: what each keeps, for how long, and which settings its guarantees rest on.
 * Reads go to a stream's leader (no allow_direct): on a replicated stream a direct read may come
 * from a replica that lags, and "this task has no outcome" must not be an old answer.
 */
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { buckets, leaderBucket, streams, subjects } from "@zfarm/contract";
import type { BrokerLogs } from "../assemble-broker.ts";
import type { BrokerBounds } from "../bounds.ts";
import { firstEpoch } from "../leadership.ts";

export type StreamSettings = Partial<StreamConfig> & { readonly name: string };

export interface StreamSpec {
  readonly config: StreamSettings;
  /** Settings that must be exactly so on a stream that exists. */
  readonly vital: readonly (keyof StreamConfig)[];
  /** The first layout that has this stream; a farm of an older one cannot have lost it. */
  readonly layout: number;
  /**
   * Where revisions of a new stream begin: beyond all that an earlier stream of the name may have
   * given out, because fences and resume tokens made of those are still around.
   */
  readonly firstRevision?: (nowMs: number) => number;
}

/** A million a second, more than any log of outcomes grows. */
function firstOutcome(nowMs: number): number {
  return Math.max(1, nowMs * 1_000);
}

/** Counts up when a stream is added: what tells a stream that is new from one that was lost. */
export const streamLayout = 4;

const vital = [
  "subjects",
  "retention",
  "storage",
  "discard",
  "discard_new_per_subject",
  "max_msgs_per_subject",
] as const;

/** One specification per log, in the order in which they are created. */
export function streamSpecs(
  bounds: BrokerBounds,
  { replicas, shards }: { readonly replicas: number; readonly shards: number },
): BrokerLogs<StreamSpec> {
  const common = {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    discard_new_per_subject: false,
    max_msgs_per_subject: 1,
    allow_direct: false,
    num_replicas: replicas,
  };
  return {
    ...bucketSpecs(common, { ...bounds, shards }),
    queue: {
      config: {
        ...common,
        name: streams.queue,
        subjects: [subjects.queueAll],
        max_msgs: bounds.queueTasksMax,
      },
      vital,
      layout: 1,
    },
    outcomes: {
      config: {
        ...common,
        name: streams.outcomes,
        subjects: [subjects.outcomesAll],
        discard_new_per_subject: true,
        max_age: nanos(bounds.outcomeRetentionMs),
      },
      vital,
      layout: 1,
      firstRevision: firstOutcome,
    },
    controls: {
      config: {
        ...common,
        name: streams.controls,
        subjects: [subjects.jobControlsAll],
        max_msgs: bounds.controlsMax,
        max_age: nanos(bounds.jobRetentionMs),
      },
      vital,
      layout: 2,
    },
    policies: {
      config: {
        ...common,
        name: streams.policies,
        subjects: [subjects.policiesAll],
        max_msgs: bounds.policiesMax,
      },
      vital,
      layout: 2,
    },
  };
}

type Buckets = "jobs" | "pools" | "loras" | "farm" | "leases";

function bucketSpecs(
  common: Omit<StreamSettings, "name">,
  bounds: BrokerBounds & { readonly shards: number },
): Pick<BrokerLogs<StreamSpec>, Buckets> {
  const bucket = (name: string, ageMs: number): StreamSettings => ({
    ...common,
    name: `KV_${name}`,
    subjects: [`$KV.${name}.>`],
    allow_rollup_hdrs: true,
    max_age: nanos(ageMs),
  });
  return {
    jobs: { config: bucket(buckets.jobs, bounds.jobRetentionMs), vital, layout: 1 },
    pools: { config: bucket(buckets.pools, 0), vital, layout: 1 },
    loras: {
      config: { ...bucket(buckets.loras, 0), max_msgs: bounds.lorasMax },
      vital,
      layout: 4,
    },
    farm: { config: bucket(buckets.farm, 0), vital, layout: 3 },
    // A leader counts on the lease living exactly this long.
    leases: Array.from({ length: bounds.shards }, (_, shard) => ({
      config: bucket(leaderBucket(shard), bounds.leaderLeaseMs),
      vital: [...vital, "max_age"],
      layout: shard === 0 ? 1 : 3,
      firstRevision: firstEpoch,
    })),
  };
}
