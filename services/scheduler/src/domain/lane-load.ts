/**
 * How much work waits in a lane: tasks counted by shape, so that a sum of predicted costs takes as
 * long as there are shapes, and follows what is learnt about them.
 */
import type { Lot } from "./lot.ts";

export interface LoadBucket {
  readonly shape: string;
  readonly lora: "none" | "warm";
  /** Tasks that more workers could start. */
  tasks: number;
  lots: number;
}

export class LaneLoad {
  readonly #bare = new Map<string, LoadBucket>();
  readonly #adapted = new Map<string, LoadBucket>();

  add(lot: Lot): void {
    const hasAdapters = lot.adapters.length > 0;
    const buckets = hasAdapters ? this.#adapted : this.#bare;
    let bucket = buckets.get(lot.shape);
    if (bucket === undefined) {
      bucket = { shape: lot.shape, lora: hasAdapters ? "warm" : "none", tasks: 0, lots: 0 };
      buckets.set(lot.shape, bucket);
    }
    bucket.lots += 1;
    lot.bucket = bucket;
    this.recount(lot);
  }

  /** The lot has grown or shrunk, or its job may run more or fewer of its tasks. */
  recount(lot: Lot): void {
    const { bucket } = lot;
    if (bucket === undefined) return;
    const usable = usableOf(lot);
    bucket.tasks += usable - lot.counted;
    lot.counted = usable;
  }

  remove(lot: Lot): void {
    const { bucket } = lot;
    if (bucket === undefined) return;
    bucket.tasks -= lot.counted;
    bucket.lots -= 1;
    lot.counted = 0;
    lot.bucket = undefined;
    if (bucket.lots > 0) return;
    const buckets = bucket.lora === "none" ? this.#bare : this.#adapted;
    buckets.delete(bucket.shape);
  }

  *[Symbol.iterator](): IterableIterator<LoadBucket> {
    yield* this.#bare.values();
    yield* this.#adapted.values();
  }
}

/** A job that may run only so many tasks at once gains nothing from workers beyond them. */
function usableOf({ size, job }: Lot): number {
  return Math.min(size, Math.max(0, job.runningMax - job.running));
}
