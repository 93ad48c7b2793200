/**
 * Who may do what on the broker: the least that each kind of process needs. A server that is given
 * these rights refuses what a service has no business with, such as a worker that takes tasks out
 * of the queue. test/system/broker-rights.test.ts shows that they are enough and that they hold.
 */
import {
  buckets,
  farmKey,
  leaderBucket,
  leaderKey,
  type PoolId,
  shardKey,
  streams,
  subjects,
} from "@zfarm/contract";
import { bucketSubject } from "./records.ts";

/** Workers have a user for each pool: a pool cannot ask for another's work. */
export type BrokerUser =
  | { readonly role: "gateway" | "scheduler" | "bootstrap" }
  | { readonly role: "worker"; readonly pool: PoolId };

/** Subjects that a user may publish and subscribe to, with the wildcards of NATS. */
export interface BrokerRights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Where a user's answers come: one that may read no other inbox cannot read others' answers. */
export function inboxOf(user: BrokerUser): string {
  return user.role === "worker" ? `_INBOX_worker.${user.pool}` : `_INBOX_${user.role}`;
}

type StreamName = (typeof streams)[keyof typeof streams] | `KV_${string}`;

/** The least that the user needs on a farm of so many shards. */
export function rightsOf(user: BrokerUser, shards: number): BrokerRights {
  const farm = new Farm(shards);
  const own = ownRights(user, farm);
  return {
    publish: ["$JS.API.INFO", ...farm.all.map(infoOf), readsOf("KV_farm"), ...own.publish],
    subscribe: [`${inboxOf(user)}.>`, ...own.subscribe],
  };
}

function ownRights(user: BrokerUser, farm: Farm): BrokerRights {
  switch (user.role) {
    case "gateway":
      return gatewayRights();
    case "scheduler":
      return schedulerRights(farm);
    case "worker":
      return workerRights(user.pool);
    case "bootstrap":
      return bootstrapRights(farm);
  }
}

function gatewayRights(): BrokerRights {
  const kept: StreamName[] = ["CONTROLS", "KV_jobs"];
  const followed: StreamName[] = ["OUTCOMES", "POLICIES", "KV_pools", "KV_loras"];
  return {
    publish: [
      ...["QUEUE" as const, ...kept, ...followed].map(readsOf),
      ...followed.flatMap(followsOf),
      deletesOf("QUEUE"),
      subjects.queueAll,
      subjects.outcomesAll,
      subjects.jobControlsAll,
      subjects.policiesAll,
      allOf(buckets.jobs),
      allOf(buckets.loras),
      "scheduler.query.*",
      subjects.previewWish,
    ],
    subscribe: ["progress.>"],
  };
}

function schedulerRights(farm: Farm): BrokerRights {
  const followed: StreamName[] = ["QUEUE", "OUTCOMES", "CONTROLS", "KV_loras"];
  const leases = farm.leases.map(bucketStream);
  return {
    publish: [
      ...[...followed, "KV_jobs" as const, ...leases].map(readsOf),
      ...[...followed, "POLICIES" as const].flatMap(followsOf),
      ...(["QUEUE", "KV_loras", ...leases] as const).map(deletesOf),
      ...(["QUEUE", ...leases] as const).map(purgesOf),
      subjects.queueAll,
      subjects.outcomesAll,
      subjects.jobControlsAll,
      "progress.>",
      "control.*",
      "scheduler.query.*",
      allOf(buckets.jobs),
      allOf(buckets.loras),
      ...farm.shardRecords,
      ...farm.leases.map((bucket) => bucketSubject(bucket, leaderKey)),
      "_INBOX_gateway.>",
      "_INBOX_worker.>",
      "_INBOX_scheduler.>",
    ],
    subscribe: ["work.*.*", subjects.beatAll, "report.*", "scheduler.query.*"],
  };
}

function workerRights(pool: PoolId): BrokerRights {
  return {
    publish: [
      ...(["OUTCOMES", "KV_pools"] as const).map(readsOf),
      subjects.outcomesAll,
      bucketSubject(buckets.pools, pool),
      `work.*.${pool}`,
      subjects.beatAll,
      "report.*",
      "progress.>",
    ],
    subscribe: ["control.*", subjects.previewWish],
  };
}

/** Makes streams; what is in them is none of its business. */
function bootstrapRights(farm: Farm): BrokerRights {
  return {
    publish: [
      ...farm.all.map((name) => `$JS.API.STREAM.CREATE.${name}`),
      `$JS.API.STREAM.UPDATE.${streams.queue}`,
      // Whether the farm is restored is forgotten where streams were lost.
      "$JS.API.STREAM.PURGE.KV_farm",
      bucketSubject(buckets.farm, farmKey),
    ],
    subscribe: [],
  };
}

/** The names that depend on the number of shards. */
class Farm {
  readonly leases: readonly string[];
  readonly shardRecords: readonly string[];

  constructor(shards: number) {
    const each = Array.from({ length: shards }, (_, shard) => shard);
    this.leases = each.map(leaderBucket);
    this.shardRecords = each.map((shard) => bucketSubject(buckets.farm, shardKey(shard)));
  }

  /** Every stream of the farm. */
  get all(): readonly StreamName[] {
    const { jobs, pools, loras, farm } = buckets;
    const kept = [jobs, pools, loras, farm, ...this.leases].map(bucketStream);
    return [...Object.values(streams), ...kept];
  }
}

const bucketStream = (bucket: string): StreamName => `KV_${bucket}`;
const allOf = (bucket: string): string => bucketSubject(bucket, ">");
const infoOf = (stream: StreamName): string => `$JS.API.STREAM.INFO.${stream}`;
const readsOf = (stream: StreamName): string => `$JS.API.STREAM.MSG.GET.${stream}`;
const purgesOf = (stream: StreamName): string => `$JS.API.STREAM.PURGE.${stream}`;
const deletesOf = (stream: StreamName): string => `$JS.API.STREAM.MSG.DELETE.${stream}`;
/** A consumer of one's own, without a name, and what it brings. */
const followsOf = (stream: StreamName): string[] => [
  `$JS.API.CONSUMER.CREATE.${stream}`,
  ...["INFO", "MSG.NEXT", "DELETE"].map((verb) => `$JS.API.CONSUMER.${verb}.${stream}.*`),
];
