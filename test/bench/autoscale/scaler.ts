/** What the gym asks of everybody who decides how many workers there are. */
import type { Cluster } from "./cluster.ts";
import type { TraceTask } from "./traces.ts";

export interface FarmSight {
  readonly now: number;
  readonly cluster: Cluster;
  /** Tasks that wait, the most urgent first. */
  readonly waiting: readonly TraceTask[];
  /** Tasks that some worker holds. */
  readonly running: number;
  /** Tasks that came since the beginning. */
  readonly arrived: readonly TraceTask[];
  readonly meanCostMs: number;
}

export interface Scaler {
  /** How often it looks. */
  readonly everyMs: number;
  /** Sets the replicas of the cluster. */
  tick(sight: FarmSight): void;
}
