/**
 * Tasks of one job that are the same to the scheduler: shape, LoRA stack, expiry, whether they
 * were tried before. Decisions are about lots, so their cost does not grow with the tasks in one.
 */
import { type LoraRef, type TaskSpec, WaitReason } from "@zfarm/contract";
import type { HeapMember } from "./indexed-heap.ts";
import type { JobEntry } from "./job-entry.ts";
import type { Lane } from "./lane.ts";
import type { LoadBucket } from "./lane-load.ts";
import { ListNode } from "./linked-list.ts";
import type { TaskEntry } from "./task-entry.ts";
import { Timer } from "./timer-heap.ts";
import type { Wake } from "./wake.ts";

/**
 * fresh: never tried. retried: tried before, and so ahead of fresh ones. suspected: one task that
 * was there when a worker crashed; it runs alone, and elsewhere.
 */
export type LotKind = "fresh" | "retried" | "suspected";

export class Lot implements HeapMember {
  slot = -1;
  readonly key: string;
  readonly job: JobEntry;
  readonly kind: LotKind;
  /** What all of its tasks have in common: the spec without index and image. */
  readonly template: TaskSpec;
  readonly shape: string;
  /** Whether its tasks belong to the job's sample, which needs no approval. */
  readonly isSample: boolean;
  /** Age among lots: the revision that its first task had when it became the first. */
  order = 0;
  /** Milliseconds; Infinity without an expire time. */
  readonly expiresAt: number;
  readonly expireTimer: Timer<Wake>;
  /** Where it stands while tasks of it can be granted. */
  lane: Lane | undefined = undefined;
  /** Where the lane counts its tasks, and how many of them. */
  bucket: LoadBucket | undefined = undefined;
  counted = 0;
  /** Its deadline as of when it joined its lane. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** Whether the deadline can no longer be made, so that it competes as if it had none. */
  isLate = false;
  /** What keeps all of its tasks out of the line; NEXT where nothing does. */
  gate: WaitReason = WaitReason.NEXT;
  /** A bounded wait for a better moment: for warm adapters, or for more of the same shape. */
  holdUntil = 0;
  holdReason: WaitReason = WaitReason.NEXT;
  readonly shapeNode: ListNode<Lot>;
  readonly stackNode: ListNode<Lot>;
  size = 0;
  first: TaskEntry | undefined = undefined;
  #last: TaskEntry | undefined = undefined;

  constructor(job: JobEntry, parts: Pick<Lot, LotParts>) {
    this.job = job;
    this.key = parts.key;
    this.kind = parts.kind;
    this.template = parts.template;
    this.shape = parts.shape;
    this.isSample = parts.isSample;
    const expiresAt = parts.template.expireTime?.getTime() ?? Number.NaN;
    this.expiresAt = Number.isNaN(expiresAt) ? Number.POSITIVE_INFINITY : expiresAt;
    this.expireTimer = new Timer<Wake>({ kind: "lot-expires", lot: this });
    this.shapeNode = new ListNode<Lot>(this);
    this.stackNode = new ListNode<Lot>(this);
  }

  /** Whether its tasks share a worker with no other. */
  get runsAlone(): boolean {
    return this.kind === "suspected" || this.job.project.isIsolated;
  }

  get adapters(): readonly LoraRef[] {
    return this.template.stack?.adapters ?? [];
  }

  push(entry: TaskEntry): void {
    entry.previous = this.#last;
    if (this.#last === undefined) this.#begin(entry);
    else this.#last.next = entry;
    this.#last = entry;
    this.size += 1;
  }

  remove(entry: TaskEntry): void {
    if (entry.previous === undefined) this.#begin(entry.next);
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#last = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    this.size -= 1;
  }

  /** The order is kept here: a rewrite changes the revision while the lot stands in its lane. */
  #begin(first: TaskEntry | undefined): void {
    this.first = first;
    if (first !== undefined) this.order = first.revision;
  }

  has(entry: TaskEntry): boolean {
    return this.first === entry || entry.previous !== undefined;
  }

  *[Symbol.iterator](): IterableIterator<TaskEntry> {
    for (let entry = this.first; entry !== undefined; entry = entry.next) yield entry;
  }
}

type LotParts = "key" | "kind" | "template" | "shape" | "isSample";
