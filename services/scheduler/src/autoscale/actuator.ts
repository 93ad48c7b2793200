/**
 * The hands of the autoscaler: what can see and change how many workers a pool has. The brain is
 * `domain/autoscale`; it never knows which hands it has.
 */
import type { PoolId, WorkerId } from "@zfarm/contract";

/** Where a machine of a pool is in its life. */
export type MemberPhase =
  /** Asked for, and nothing in the cluster can take it yet. */
  | "unschedulable"
  | "starting"
  | "ready"
  /** Fails to start again and again. */
  | "crashing"
  /** Told to stop, and still there. */
  | "stopping";

/** One worker as those see it that start and stop workers. */
export interface FleetMember {
  readonly worker: WorkerId;
  readonly phase: MemberPhase;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Absent until it was first ready. */
  readonly readyAt?: number;
  /** Whether a machine was made for it: a cold start of the longer kind. Absent: not known. */
  readonly isOnNewNode?: boolean;
}

/** What there is of a pool now. */
export interface PoolFleet {
  readonly pool: PoolId;
  /** Workers asked for, whether or not they are there yet. */
  readonly target: number;
  readonly members: readonly FleetMember[];
}

/** What the brain wants of one pool. */
export interface PoolScaling {
  readonly pool: PoolId;
  readonly desired: number;
  /** The target that it was decided against: if it changed meanwhile, nothing is done. */
  readonly target: number;
  /** Who goes first when desired is below target: drained already, as many as target - desired. */
  readonly victims: readonly WorkerId[];
  /** Which rule decided, for events and logs. */
  readonly reason: string;
}

/** What became of one wish. */
export type ScalingResult = "unchanged" | "applied" | "conflict" | "failed";

export interface Actuator {
  readonly name: "none" | "kubernetes" | "keda" | "local";
  /** What there is of every pool it minds; rejects with a FarmError when it cannot be told. */
  observe(stop: AbortSignal): Promise<readonly PoolFleet[]>;
  /** Makes one pool so; a conflict is a value, since the next tick decides anew. */
  apply(scaling: PoolScaling, stop: AbortSignal): Promise<ScalingResult>;
  close(): Promise<void>;
}
