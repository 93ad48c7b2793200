/** A worker as the leader knows it: what it said last, what it holds, what it asks for. */
import type { LeasedTask, Worker, WorkerId, WorkerPolicy } from "@zfarm/contract";
import { ListNode } from "./linked-list.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { Shelf } from "./shelf.ts";
import type { TaskEntry } from "./task-entry.ts";
import { Timer } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";

/** Whether a worker knows this leader: not that we know, told by an announcement, by asking it. */
type Acquaintance = "unknown" | "announced" | "met";

export class WorkerEntry {
  readonly id: WorkerId;
  readonly leases = new Set<TaskEntry>();
  readonly timer: Timer<Wake>;
  pool: PoolEntry;
  /** Its own words, from the last heartbeat; undefined before the first. */
  info: Worker | undefined = undefined;
  heardAt = 0;
  acquaintance: Acquaintance = "unknown";
  /** What it listed while the index was incomplete and nothing could be said to that. */
  claims: readonly LeasedTask[] = [];
  ask: AskEntry | undefined = undefined;
  policy: WorkerPolicy | undefined = undefined;
  /** Whether the autoscaler takes it away; undefined where it has never said so. */
  isRetiring: boolean | undefined = undefined;
  /** The task that it runs and that shares it with no other. */
  alone: TaskEntry | undefined = undefined;
  /** Its adapters; undefined for a worker that takes none. */
  shelf: Shelf | undefined = undefined;
  /** The adapters under which it stands among the residents of its pool. */
  residencies: readonly string[] = [];
  /** Sum of LoRA ranks that one batch may have. */
  rankBudget = Number.POSITIVE_INFINITY;
  /** When the work it holds should be done, as predicted. */
  busyUntil = 0;
  /** The adapter it was told to fetch for a task to come, until its next request. */
  prewarmed: string | undefined = undefined;

  constructor(id: WorkerId, pool: PoolEntry) {
    this.id = id;
    this.pool = pool;
    this.timer = new Timer<Wake>({ kind: "worker-silent", worker: this });
  }

  /** The shelf, made when the worker first speaks of one. */
  openShelf(): Shelf {
    this.shelf ??= new Shelf();
    return this.shelf;
  }
}

/** A request for work that has no answer yet. */
export class AskEntry {
  readonly ask: number;
  readonly worker: WorkerEntry;
  readonly pool: PoolEntry;
  readonly heldSince: number;
  readonly node: ListNode<AskEntry>;
  readonly timer: Timer<Wake>;
  readonly slotsFree: number;

  constructor(
    request: { ask: number; pool: PoolEntry; slotsFree: number; heldSince: number },
    worker: WorkerEntry,
  ) {
    this.ask = request.ask;
    this.worker = worker;
    this.pool = request.pool;
    this.slotsFree = request.slotsFree;
    this.heldSince = request.heldSince;
    this.node = new ListNode<AskEntry>(this);
    this.timer = new Timer<Wake>({ kind: "ask-held", ask: this });
  }
}
