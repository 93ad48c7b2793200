/**
 * The hands of the autoscaler: what can see and change how many workers a pool has. The brain is
 * `domain/autoscale`; it never knows which hands it has.
 */
import type { PoolId, WorkerId } from "@zfarm/contract";
import type { PoolFleet } from "../domain/autoscale/fleet.ts";
import type { ActuatorName } from "./autoscaler-config.ts";

export type { FleetMember, MemberPhase, PoolFleet } from "../domain/autoscale/fleet.ts";

/** What the brain wants of one pool. */
export interface PoolScaling {
  readonly pool: PoolId;
  readonly desired: number;
  /** The target that it was decided against: if it changed meanwhile, nothing is done. */
  readonly target: number;
  /**
   * Who goes when desired is below target: drained already. Fewer than target - desired where not
   * all that were asked for are there yet.
   */
  readonly victims: readonly WorkerId[];
  /** Victims of before who are wanted after all, where the target was not lowered for them yet. */
  readonly spared?: readonly WorkerId[];
  /** Which rule decided, for events and logs. */
  readonly reason: string;
}

/** What became of one wish. */
export type ScalingResult = "unchanged" | "applied" | "conflict" | "failed";

export interface Actuator {
  readonly name: ActuatorName;
  /** What there is of every pool it minds; rejects with a FarmError when it cannot be told. */
  observe(stop: AbortSignal): Promise<readonly PoolFleet[]>;
  /** Makes one pool so; a conflict is a value, since the next tick decides anew. */
  apply(scaling: PoolScaling, stop: AbortSignal): Promise<ScalingResult>;
  /** Why it cannot do its work for some pool, for probes; undefined where it can. */
  problem?(): string | undefined;
  /** Another process decides from now on: forgets what it was hindered by. */
  rest?(): void;
  close(): Promise<void>;
}
