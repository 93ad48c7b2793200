/** The bounds a broker works within: the farm's limits, which tests may tighten. */
import { limits } from "@zfarm/contract";

export interface BrokerBounds {
  /** Messages of QUEUE: more tasks than that are kept out by gateways, who can count them. */
  readonly queueTasksMax: number;
  readonly bundleTasksMax: number;
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
