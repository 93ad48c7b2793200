/** What a client of a farm can ask for as its operator. */
import type {
  GetScalingStatusResponse,
  GetWorkerResponse,
  Pool,
  PoolConduct,
  PoolQueue,
  ProjectShare,
  ScalingWish,
  Victim,
  Worker,
  WorkerState,
} from "@zfarm/contract";
import type { CallOptions } from "./call-options.ts";

/** What changes of `pools/{pool}`: the fields that are there. Draining has verbs of its own. */
export interface PoolConductChange {
  readonly name: string;
  readonly speculateAfter?: number;
  /** Replaces the whole wish; undefined takes it away. */
  readonly scaling?: ScalingWish | undefined;
}

export interface UpdatePoolOptions extends CallOptions {
  /** Of the conduct as it was seen: CONFLICT where it has changed since. Absent: whatever it is. */
  readonly etag?: string;
}

export interface ListWorkersOptions extends CallOptions {
  readonly pool?: string;
  readonly state?: WorkerState | undefined;
}

export interface ListVictimsOptions extends CallOptions {
  readonly pool?: string;
  readonly count?: number;
}

export interface QuarantineOptions extends CallOptions {
  /** What is wrong with it. */
  readonly reason: string;
  /** Absent: until it is forgiven. */
  readonly endTime?: Date | undefined;
}

export interface QueueStatisticsOptions extends CallOptions {
  readonly pool?: string;
  /** Projects that are told of each pool. */
  readonly projectsMax?: number;
}

export interface FleetClient {
  listWorkers(options?: ListWorkersOptions): Promise<Worker[]>;
  /** `workers/{worker}`, what it runs now, and the adapters that it holds. */
  getWorker(name: string, options?: CallOptions): Promise<GetWorkerResponse>;
  /** Of `workers/{worker}` or `pools/{pool}`: running tasks finish, no new ones start. */
  drain(name: string, options?: CallOptions): Promise<void>;
  /** Ends a drain. */
  resume(name: string, options?: CallOptions): Promise<void>;
  /** `workers/{worker}` stays, finishes what it runs, and gets nothing new. */
  lockWorker(name: string, options?: CallOptions & { readonly reason?: string }): Promise<void>;
  unlockWorker(name: string, options?: CallOptions): Promise<void>;
  /** Puts `workers/{worker}` aside, as failures of its own would. */
  quarantineWorker(name: string, options: QuarantineOptions): Promise<void>;
  /** Forgets the failures of `workers/{worker}`, and ends its quarantine. */
  forgiveWorker(name: string, options?: CallOptions): Promise<void>;
  /** The workers of a pool to take away first. */
  listVictims(options?: ListVictimsOptions): Promise<Victim[]>;
  /** How `projects/{project}` shares the farm. */
  getProjectPolicy(name: string, options?: CallOptions): Promise<ProjectShare>;
  updateProjectPolicy(share: ProjectShare, options?: CallOptions): Promise<ProjectShare>;
  /** How the workers of `pools/{pool}` are used. */
  getPoolPolicy(name: string, options?: CallOptions): Promise<PoolConduct>;
  updatePoolPolicy(change: PoolConductChange, options?: UpdatePoolOptions): Promise<PoolConduct>;
  /** Every pool that ever had a worker or a policy, by name. */
  listPools(options?: CallOptions): Promise<Pool[]>;
  getPool(name: string, options?: CallOptions): Promise<Pool>;
  /** What the autoscaler decided last for each pool, and from what. */
  getScalingStatus(options?: CallOptions): Promise<GetScalingStatusResponse>;
  /** What waits and runs in each pool, why, and whose it is. */
  getQueueStatistics(options?: QueueStatisticsOptions): Promise<PoolQueue[]>;
}
