/**
 * Keeps a copy of each adapter's record in the object store where DURABILITY=manifest wants the
 * registry to outlive the broker. Written after the record and before the answer, until the copy
 * is of the newest one: of two writers the later record is never left behind the earlier.
 */
import type { BlobStore } from "@zfarm/blobs";
import type { LoraRecords, StoredLora } from "@zfarm/broker";
import { type LoraName, LoraRecord, loraCopyKey } from "@zfarm/contract";

export class LoraCopies {
  readonly #store: Pick<BlobStore, "put">;
  readonly #records: Pick<LoraRecords, "find">;

  constructor(store: Pick<BlobStore, "put">, records: Pick<LoraRecords, "find">) {
    this.#store = store;
    this.#records = records;
  }

  /** STORE_UNAVAILABLE, BROKER_UNAVAILABLE: whether the change outlives the broker is unknown. */
  async keep(name: LoraName, stored: StoredLora): Promise<void> {
    let kept = stored;
    for (;;) {
      const bytes = LoraRecord.encode(kept.record).finish();
      await this.#store.put(loraCopyKey(name), bytes, "application/x-protobuf");
      const newest = await this.#records.find(name);
      if (newest === undefined || newest.revision === kept.revision) return;
      kept = newest;
    }
  }
}
