/** Puts a broker together from its logs and its messenger. */
import type { Clock, Log } from "@zfarm/runtime";
import type { BrokerBounds } from "./bounds.ts";
import type { Broker } from "./broker.ts";
import { LogJobControls } from "./job-controls.ts";
import { LeaseLeadership } from "./leadership.ts";
import { LogOutcomes } from "./outcome-log.ts";
import { LogPolicies } from "./policies.ts";
import type { Messenger, SubjectLog } from "./ports.ts";
import { MessengerProgress } from "./progress-bus.ts";
import { LogFarmRecords, LogJobRecords, LogPoolRecords } from "./records.ts";
import { MessengerQueries } from "./scheduler-queries.ts";
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
  readonly farm: Each;
  readonly lease: Each;
}

export interface BrokerParts {
  readonly kind: Broker["kind"];
  readonly logs: BrokerLogs;
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
  const { logs, messenger, bounds, clock, log, closing } = parts;
  return {
    kind: parts.kind,
    queue: new LogTaskQueue(logs.queue),
    outcomes: new LogOutcomes(logs.outcomes, clock),
    controls: new LogJobControls(logs.controls),
    policies: new LogPolicies(logs.policies),
    jobs: new LogJobRecords(logs.jobs),
    pools: new LogPoolRecords(logs.pools),
    farm: new LogFarmRecords(logs.farm),
    link: new MessengerLink({ messenger, bounds, log }),
    progress: new MessengerProgress(messenger, log),
    queries: new MessengerQueries({ messenger, bounds, log }),
    leadership: new LeaseLeadership({ lease: logs.lease, bounds, clock, log, closing }),
    problem: parts.problem,
    untilLost: (stop) => untilLost(closing, stop),
    drain: parts.drain,
  };
}
