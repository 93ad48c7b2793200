/** A worker as the leader knows it: what it said last, what it holds, what it asks for. */
import type { LeasedTask, PoolId, TaskKey, Worker, WorkerId } from "@zfarm/contract";
import { ListNode } from "./linked-list.ts";
import type { TaskEntry } from "./task-entry.ts";
import { Timer } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";

/** Whether a worker knows this leader: not that we know, told by an announcement, by asking it. */
type Acquaintance = "unknown" | "announced" | "met";

export class WorkerEntry {
  readonly id: WorkerId;
  readonly leases = new Map<TaskKey, TaskEntry>();
  readonly timer: Timer<Wake>;
  pool: PoolId;
  /** Its own words, from the last heartbeat; undefined before the first. */
  info: Worker | undefined = undefined;
  heardAt = 0;
  acquaintance: Acquaintance = "unknown";
  /** What it listed while the index was incomplete and nothing could be said to that. */
  claims: readonly LeasedTask[] = [];
  ask: AskEntry | undefined = undefined;

  constructor(id: WorkerId, pool: PoolId) {
    this.id = id;
    this.pool = pool;
    this.timer = new Timer<Wake>({ kind: "worker-silent", worker: this });
  }
}

/** A request for work that has no answer yet. */
export class AskEntry {
  readonly ask: number;
  readonly worker: WorkerEntry;
  readonly pool: PoolId;
  readonly slotsFree: number;
  readonly node: ListNode<AskEntry>;
  readonly timer: Timer<Wake>;

  constructor(request: { ask: number; pool: PoolId; slotsFree: number }, worker: WorkerEntry) {
    this.ask = request.ask;
    this.worker = worker;
    this.pool = request.pool;
    this.slotsFree = request.slotsFree;
    this.node = new ListNode<AskEntry>(this);
    this.timer = new Timer<Wake>({ kind: "ask-held", ask: this });
  }
}
