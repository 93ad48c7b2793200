/** The bounds a broker works within: the farm's limits, which tests may tighten. */
import { limits } from "@zfarm/contract";

export interface BrokerBounds {
  readonly queueTasksMax: number;
  readonly controlsMax: number;
  readonly policiesMax: number;
  readonly lorasMax: number;
  readonly outcomeRetentionMs: number;
  readonly jobRetentionMs: number;
  readonly leaderLeaseMs: number;
  readonly leaderRenewMs: number;
  readonly leaderRetryMs: number;
  readonly askTimeoutMs: number;
  readonly brokerRequestMs: number;
  readonly brokerCheckMs: number;
  readonly followUnreadMax: number;
}

export function boundsWith(overrides: Partial<BrokerBounds> = {}): BrokerBounds {
  return { ...limits, ...overrides };
}
