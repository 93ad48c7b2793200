/** The workers of a pool as those see them that start and stop them. */
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

/** Where the time of a start goes; the last begins with the worker's own process. */
export const startPhases = ["node", "image", "weights", "worker"] as const;

export type StartPhase = (typeof startPhases)[number];

/** Milliseconds of a start by phase; what nobody can tell is left out. */
export type PhaseTimes = Readonly<Partial<Record<StartPhase, number>>>;

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
  /** Of one that was ready once. */
  readonly phases?: PhaseTimes;
}

/** What there is of a pool now. */
export interface PoolFleet {
  readonly pool: PoolId;
  /** Workers asked for, whether or not they are there yet. */
  readonly target: number;
  readonly members: readonly FleetMember[];
}
