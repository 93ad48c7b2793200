/** The broker of one process: NATS's twin in semantics, with nothing that survives a restart. */
import { buckets, leaderBucket, streams } from "@zfarm/contract";
import { type Clock, type Log, silentLog, systemClock } from "@zfarm/runtime";
import { assembleBroker } from "../assemble-broker.ts";
import { type BrokerBounds, boundsWith } from "../bounds.ts";
import type { Broker } from "../broker.ts";
import { drainedReason } from "../drained.ts";
import { MemoryLog } from "./memory-log.ts";
import { type MemoryListeners, MemoryMessenger } from "./memory-messenger.ts";
import { MemoryStore } from "./memory-store.ts";

export interface MemoryBrokerOptions {
  readonly bounds?: Partial<BrokerBounds>;
  readonly clock?: Clock;
  readonly log?: Log;
  /** 1 by default. */
  readonly shards?: number;
}

/** What a nats-server would keep; every broker that connects to it sees the same. */
export interface MemoryFarm {
  connect(): Broker;
}

export function createMemoryBroker(options: MemoryBrokerOptions = {}): Broker {
  return createMemoryFarm(options).connect();
}

export function createMemoryFarm(options: MemoryBrokerOptions = {}): MemoryFarm {
  const { clock = systemClock, log = silentLog, shards = 1 } = options;
  const bounds = boundsWith(options.bounds);
  const stores = {
    queue: new MemoryStore({ name: streams.queue, clock, messagesMax: bounds.queueTasksMax }),
    outcomes: new MemoryStore({
      name: streams.outcomes,
      clock,
      maxAgeMs: bounds.outcomeRetentionMs,
    }),
    controls: new MemoryStore({
      name: streams.controls,
      clock,
      maxAgeMs: bounds.jobRetentionMs,
      messagesMax: bounds.controlsMax,
    }),
    policies: new MemoryStore({
      name: streams.policies,
      clock,
      messagesMax: bounds.policiesMax,
    }),
    jobs: new MemoryStore({ name: buckets.jobs, clock, maxAgeMs: bounds.jobRetentionMs }),
    pools: new MemoryStore({ name: buckets.pools, clock }),
    loras: new MemoryStore({ name: buckets.loras, clock, messagesMax: bounds.lorasMax }),
    farm: new MemoryStore({ name: buckets.farm, clock }),
  };
  const leases = Array.from({ length: shards }, (_, shard) => {
    return new MemoryStore({ name: leaderBucket(shard), clock, maxAgeMs: bounds.leaderLeaseMs });
  });
  const listeners: MemoryListeners = new Set();

  return {
    connect: () => {
      const ending = new AbortController();
      const closing = ending.signal;
      const open = (store: MemoryStore): MemoryLog => new MemoryLog(store, closing);
      return assembleBroker({
        kind: "memory",
        logs: {
          queue: open(stores.queue),
          outcomes: open(stores.outcomes),
          controls: open(stores.controls),
          policies: open(stores.policies),
          jobs: open(stores.jobs),
          pools: open(stores.pools),
          loras: open(stores.loras),
          farm: open(stores.farm),
          leases: leases.map(open),
        },
        shards,
        messenger: new MemoryMessenger({ listeners, clock, closing }),
        bounds,
        clock,
        log,
        closing,
        problem: () => (closing.aborted ? drainedReason().message : undefined),
        drain: async () => ending.abort(drainedReason()),
      });
    },
  };
}
