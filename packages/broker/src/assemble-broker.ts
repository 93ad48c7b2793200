/** Puts a broker together from its logs and its messenger. */
import { type Clock, invariant, type Log } from "@zfarm/runtime";
import type { BrokerBounds } from "./bounds.ts";
import type { Broker } from "./broker.ts";
import { LogJobControls } from "./job-controls.ts";
import { LeaseLeadership } from "./leadership.ts";
import { LogLoraRecords } from "./lora-records.ts";
import { LogOutcomes } from "./outcome-log.ts";
import { LogPolicies } from "./policies.ts";
import type { Messenger, SubjectLog } from "./ports.ts";
import { MessengerProgress } from "./progress-bus.ts";
import { LogFarmRecords, LogJobRecords, LogPoolRecords } from "./records.ts";
import { MessengerQueries } from "./scheduler-queries.ts";
import type { ShardView } from "./shard-view.ts";
import { LogTaskQueue } from "./task-queue.ts";
import { untilLost } from "./until-lost.ts";
import { MessengerLink } from "./worker-link.ts";

/** The farm's streams and buckets, by the names the code uses. */
export interface BrokerLogs<Each = SubjectLog> {
  readonly queue: Each;
  readonly outcomes: Each;
  readonly controls: Each;
  readonly policies: Each;
  readonly jobs: Each;
  readonly pools: Each;
  readonly loras: Each;
  readonly farm: Each;
  /** One for each shard. */
  readonly leases: readonly Each[];
}

export interface BrokerParts {
  readonly kind: Broker["kind"];
  readonly logs: BrokerLogs;
  readonly shards: number;
  readonly messenger: Messenger;
  readonly bounds: BrokerBounds;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when draining begins. */
  readonly closing: AbortSignal;
  readonly problem: Broker["problem"];
  readonly drain: Broker["drain"];
}

export function assembleBroker(parts: BrokerParts): Broker {
  return showBroker(parts, { shards: parts.shards, only: undefined });
}

function showBroker(parts: BrokerParts, view: ShardView): Broker {
  const { logs, messenger, bounds, clock, log, closing } = parts;
  const shard = view.only ?? 0;
  const lease = logs.leases[shard];
  invariant(lease !== undefined, `shard ${shard} is one of ${view.shards}`);
  const broker: Broker = {
    kind: parts.kind,
    shards: view.shards,
    shard: (index) => (view.shards === 1 ? broker : showBroker(parts, { ...view, only: index })),
    queue: new LogTaskQueue(logs.queue, { view, bundleTasksMax: bounds.bundleTasksMax }),
    outcomes: new LogOutcomes(logs.outcomes, { clock, view }),
    controls: new LogJobControls(logs.controls, view),
    policies: new LogPolicies(logs.policies, clock),
    jobs: new LogJobRecords(logs.jobs),
    pools: new LogPoolRecords(logs.pools, clock),
    loras: new LogLoraRecords(logs.loras, clock),
    farm: new LogFarmRecords(logs.farm, view),
    link: new MessengerLink({ messenger, bounds, log, view }),
    progress: new MessengerProgress(messenger, log),
    queries: new MessengerQueries({ messenger, bounds, log, view }),
    leadership: new LeaseLeadership({ lease, shard, bounds, clock, log, closing }),
    problem: parts.problem,
    untilLost: (stop) => untilLost(closing, stop),
    drain: parts.drain,
  };
  return broker;
}
