/**
 * A case: everything a run depends on, as plain data. Options say how large the farm is and how
 * bad its world; the workload and the faults are lists from which entries can be taken out, which
 * is how a failing case shrinks. The seed is left with noise only: delays, back-offs, losses.
 */

/** What can go wrong. Each kind is switched on or off for a whole case. */
export const faultKinds = [
  "worker-crash",
  "worker-pause",
  "worker-slow",
  "worker-twin",
  "worker-drain",
  "worker-clock",
  "leader-crash",
  "leader-pause",
  "leader-resign",
  "leader-clock",
  "wall-jump",
  "lease-theft",
  "broker-stall",
  "broker-restart",
  "broker-refuse",
  "ack-loss",
  "lost-suffix",
  "cut",
  "messages",
  "store-down",
  "gateway-crash",
  "slow-outcomes",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly at: number;
  readonly kind: FaultKind;
  /** Chooses among the entities that the kind can hit. */
  readonly target: number;
  readonly forMs: number;
  /** A probability, a factor or a mode in percent, as the kind needs it. */
  readonly level: number;
}

/** How a task behaves under a worker; a flaky one fails every other time. */
export type TaskNature =
  | "good"
  | "flaky"
  | "kills-worker"
  | "kills-engine"
  | "bad-numbers"
  | "unusable";

export interface Submit {
  readonly at: number;
  readonly kind: "submit";
  readonly client: number;
  readonly project: number;
  /** The client's request id; a second item with it is a retry, or a reuse with another body. */
  readonly request: number;
  readonly body: number;
  readonly pool: number;
  readonly tasks: number;
  /** Which of the shapes, see `shapes`. */
  readonly shape: number;
  readonly nature: TaskNature;
  /** Adapters by number, at most two. */
  readonly stack: readonly number[];
  /** 0 is none; else interactive, standard, batch. */
  readonly priorityClass: number;
  readonly priority: number;
  readonly expireMs: number;
  readonly deadlineMs: number;
  readonly maxConcurrency: number;
  readonly maxFailed: number;
  readonly sample: number;
}

/** What a client or an operator does later. */
export interface Verb {
  readonly at: number;
  readonly kind: "cancel" | "pause" | "resume" | "approve" | "update" | "watch" | "get";
  readonly client: number;
  /** The request whose job is meant. */
  readonly request: number;
  readonly value: number;
}

export interface Policy {
  readonly at: number;
  readonly kind:
    | "weight"
    | "burst"
    | "drain-pool"
    | "drain-worker"
    | "lock-worker"
    | "quarantine-worker"
    | "forgive"
    | "speculate";
  readonly target: number;
  readonly value: number;
}

export type WorkItem = Submit | Verb | Policy;

export interface SimOptions {
  readonly warmMs: number;
  readonly chaosMs: number;
  /** Everything accepted has ended so long after the world is whole again. */
  readonly liveMs: number;
  readonly schedulers: number;
  readonly gateways: number;
  readonly workers: number;
  readonly slots: number;
  readonly pools: number;
  readonly projects: number;
  readonly clients: number;
  /** Of one denoise step. */
  readonly stepMs: number;
  readonly netMs: number;
  readonly queueMax: number;
  readonly adapters: number;
  /** Adapters that fit on a device. */
  readonly shelfMax: number;
  /** Every submit is expected to be admitted. */
  readonly isLowLoad: boolean;
  /** Fair shares are held to their bound: one pool, no faults, equal tasks. */
  readonly isFairnessRun: boolean;
  /** Of the project with this number. */
  readonly weights: readonly number[];
  /** What outlives a power loss of the broker; absent: "stream". */
  readonly durability?: "stream" | "manifest";
  readonly faults: readonly FaultKind[];
}

export interface SimCase {
  readonly seed: number;
  readonly options: SimOptions;
  readonly workload: readonly WorkItem[];
  readonly faults: readonly Fault[];
}

export const shapes = [
  { width: 64, height: 64, steps: 4 },
  { width: 128, height: 128, steps: 4 },
  { width: 128, height: 128, steps: 8 },
] as const;
