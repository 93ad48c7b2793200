/** A pool: its line, its workers, those of them that ask, and where adapters are. */
import type { PoolId, PoolPolicy, WaitReason, WorkerId } from "@zfarm/contract";
import { ArrivalRates } from "./arrival-rates.ts";
import { noSums } from "./autoscale/pool-work.ts";
import { LinkedList } from "./linked-list.ts";
import type { Lot } from "./lot.ts";
import { PoolLine } from "./pool-line.ts";
import { RecentSum } from "./recent-sum.ts";
import { Timer } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";
import type { AskEntry, WorkerEntry } from "./worker-entry.ts";

/** Pools are few and named by operators; an empty one is kept so that its gauges read 0. */
export class PoolEntry {
  readonly id: PoolId;
  readonly line: PoolLine;
  /** Requests for work without an answer that have room, oldest first. */
  readonly asks = new LinkedList<AskEntry>();
  readonly workers = new Set<WorkerEntry>();
  /** Requests among them by the adapters that their workers hold on the device. */
  readonly askers = new Map<string, Set<AskEntry>>();
  /** Workers by the adapters that they hold on the device. */
  readonly residents = new Map<string, Set<WorkerEntry>>();
  /** Adapters that one of its workers was told to fetch. */
  readonly prewarmed = new Set<string>();
  readonly arrivals = new ArrivalRates();
  /** Work that has come since the term began, by class, for the forecast of more. */
  readonly inflow = noSums();
  /** Workers that the autoscaler is about to take away, also those not heard of yet. */
  readonly retiring = new Set<WorkerId>();
  /** Live tasks that are kept out of the line, by what keeps them. */
  readonly gated = new Map<WaitReason, number>();
  /** The earliest end of a bounded wait of one of its lots. */
  readonly holdTimer: Timer<Wake>;
  /** A worker that gets nothing but this lot, whose task runs alone and finds no idle worker. */
  kept: { readonly lot: Lot; readonly worker: WorkerEntry } | undefined = undefined;
  /** Batches of late whose adapters were all on the device, and others that have any. */
  readonly warmStarts = new RecentSum();
  readonly coldStarts = new RecentSum();
  policy: PoolPolicy | undefined = undefined;
  /** Live tasks by state, delayed and ending ones among the queued. */
  queued = 0;
  leased = 0;

  constructor(id: PoolId) {
    this.id = id;
    this.line = new PoolLine(id);
    this.holdTimer = new Timer<Wake>({ kind: "hold-ends", pool: this });
  }

  /** Forgets bit by bit what was. */
  age(elapsedMs: number): void {
    this.line.sweep(elapsedMs);
    this.warmStarts.age(elapsedMs);
    this.coldStarts.age(elapsedMs);
  }

  countGated(reason: WaitReason, by: number): void {
    this.gated.set(reason, (this.gated.get(reason) ?? 0) + by);
  }
}
