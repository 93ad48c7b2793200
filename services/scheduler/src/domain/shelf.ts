/**
 * Which adapters a worker has at hand, and how near: what it said last, and what the grants since
 * must have changed. A granted adapter counts as on the device at once; what it displaces goes to
 * RAM, least recently used first. The worker's next reports put right what was assumed wrongly.
 */
import { type LoraRef, limits, type Shelf as ShelfReport, ShelfTier } from "@zfarm/contract";

/** Where an adapter is, nearest first; "none": only in the object store. */
export type Tier = "device" | "ram" | "disk" | "none";

/** What a task finds: no adapters needed, all on the device, or some to be loaded. */
export const loraStates = ["none", "warm", "cold"] as const;
export type LoraState = (typeof loraStates)[number];

interface ShelfItem {
  readonly digest: string;
  bytes: number;
  tier: Exclude<Tier, "none">;
  /** Bytes the device had loaded in all when this adapter was used last. */
  usedAt: number;
  /** Granted since the last report, which may have been written before the grant arrived. */
  isFresh: boolean;
}

/** Bytes that a millisecond brings to the device. */
const bytesPerMs: Readonly<Record<Tier, number>> = {
  device: Number.POSITIVE_INFINITY,
  ram: limits.shelfRamBytesPerMs,
  disk: limits.shelfDiskBytesPerMs,
  none: limits.shelfStoreBytesPerMs,
};

export class Shelf {
  /** In the order of last use, oldest first, at most `limits.shelfItemsMax`. */
  #items = new Map<string, ShelfItem>();
  /** The part of them that is on the device, in the same order. */
  #device = new Set<ShelfItem>();
  /** Infinite until the worker has said how much fits. */
  #deviceBytes = Number.POSITIVE_INFINITY;
  #usedBytes = 0;
  #loadedBytes = 0;

  /** Every adapter that is known to be at hand, in any tier. */
  digests(): IterableIterator<string> {
    return this.#items.keys();
  }

  /** Adapters on the device, the one used longest ago first. */
  *onDevice(): IterableIterator<string> {
    for (const { digest } of this.#device) yield digest;
  }

  /** The adapter that leaves the device first when the stack comes; undefined where all fits. */
  victimFor(stack: readonly LoraRef[]): string | undefined {
    if (this.#usedBytes + this.loadBytes(stack) <= this.#deviceBytes) return undefined;
    const [oldest] = this.#device;
    return oldest?.digest;
  }

  tierOf(digest: string): Tier {
    return this.#items.get(digest)?.tier ?? "none";
  }

  bytesOf(digest: string): number {
    return this.#items.get(digest)?.bytes ?? 0;
  }

  stateOf(stack: readonly LoraRef[]): LoraState {
    if (stack.length === 0) return "none";
    return stack.every(({ digest }) => this.tierOf(digest) === "device") ? "warm" : "cold";
  }

  /** Bytes that must come to the device before the stack can run. */
  loadBytes(stack: readonly LoraRef[]): number {
    let bytes = 0;
    for (const lora of stack) {
      if (this.tierOf(lora.digest) !== "device") bytes += Number(lora.sizeBytes);
    }
    return bytes;
  }

  /** Milliseconds until the stack is on the device, as the tiers usually are. */
  loadMs(stack: readonly LoraRef[]): number {
    let ms = 0;
    for (const lora of stack) ms += Number(lora.sizeBytes) / bytesPerMs[this.tierOf(lora.digest)];
    return ms;
  }

  /**
   * 1: used last of all, 0: not on the device, or as many bytes of other adapters were loaded
   * since as the device holds. An adapter on its way out is worth less than one just used.
   */
  warmth(digest: string): number {
    const item = this.#items.get(digest);
    if (item?.tier !== "device") return 0;
    return Math.max(0, 1 - (this.#loadedBytes - item.usedAt) / this.#deviceBytes);
  }

  /** Bytes on the device or in RAM of adapters that somebody wants. O(items). */
  warmBytes(isWanted: (digest: string) => boolean): number {
    let bytes = 0;
    for (const { digest, bytes: own, tier } of this.#items.values()) {
      if (tier !== "disk" && isWanted(digest)) bytes += own;
    }
    return bytes;
  }

  /** A grant uses these adapters: they come to the device, and what does not fit any more goes. */
  note(stack: readonly LoraRef[]): void {
    const used = stack.map((lora) => this.#bring(lora));
    // Adapters of one stack do not displace each other.
    for (const item of used) item.usedAt = this.#loadedBytes;
    for (const item of this.#device) {
      if (this.#usedBytes <= this.#deviceBytes || used.includes(item)) break;
      this.#device.delete(item);
      this.#usedBytes -= item.bytes;
      item.tier = "ram";
    }
    this.#trim();
  }

  /**
   * The worker's own words. They replace what was assumed, except that an adapter granted since
   * the report before stays on the device for this one: the two may have crossed.
   */
  report(report: ShelfReport): void {
    const before = this.#items;
    const deviceBytes = Number(report.deviceBytes);
    this.#deviceBytes = deviceBytes > 0 ? deviceBytes : Number.POSITIVE_INFINITY;
    const told = new Map<string, ShelfItem>();
    for (const { digest, sizeBytes, tier } of nearestOf(report)) {
      told.set(digest, this.#describe(digest, Number(sizeBytes), tierOnWire(tier)));
    }
    this.#items = new Map();
    this.#device = new Set();
    this.#usedBytes = 0;
    // What no grant has used counts as used longest ago, then the others in their old order.
    for (const [digest, item] of told) if (!before.has(digest)) this.#keep(item);
    for (const [digest, item] of before) {
      const kept = item.isFresh ? item : told.get(digest);
      if (kept !== undefined) this.#keep(kept);
    }
    for (const item of this.#items.values()) item.isFresh = false;
    this.#trim();
  }

  /** An adapter as a report has it, with what is known of its use. */
  #describe(digest: string, bytes: number, tier: ShelfItem["tier"]): ShelfItem {
    const usedAt = this.#items.get(digest)?.usedAt ?? this.#loadedBytes;
    return { digest, bytes, tier, usedAt, isFresh: false };
  }

  #keep(item: ShelfItem): void {
    this.#items.set(item.digest, item);
    if (item.tier !== "device") return;
    this.#device.add(item);
    this.#usedBytes += item.bytes;
  }

  /** Puts an adapter on the device as the newest one. */
  #bring(lora: LoraRef): ShelfItem {
    const { digest } = lora;
    const known = this.#items.get(digest);
    const item = known ?? this.#describe(digest, Number(lora.sizeBytes), "disk");
    if (item.tier === "device") this.#usedBytes -= item.bytes;
    else this.#loadedBytes += item.bytes;
    this.#items.delete(digest);
    this.#device.delete(item);
    item.tier = "device";
    item.isFresh = true;
    this.#keep(item);
    return item;
  }

  /** Forgets what was used longest ago, so that a shelf never grows without end. */
  #trim(): void {
    for (const [digest, item] of this.#items) {
      if (this.#items.size <= limits.shelfItemsMax) return;
      this.#items.delete(digest);
      if (this.#device.delete(item)) this.#usedBytes -= item.bytes;
    }
  }
}

/** The items of a report, the nearest ones where it lists more than are remembered. */
function nearestOf({ items }: ShelfReport): ShelfReport["items"] {
  if (items.length <= limits.shelfItemsMax) return items;
  const nearness = ["device", "ram", "disk"];
  const placeOf = (item: ShelfReport["items"][number]) => nearness.indexOf(tierOnWire(item.tier));
  return items
    .toSorted((one, other) => placeOf(one) - placeOf(other))
    .slice(0, limits.shelfItemsMax);
}

/** A tier this version does not know is taken for the farthest one that a worker has. */
function tierOnWire(tier: ShelfTier): ShelfItem["tier"] {
  if (tier === ShelfTier.DEVICE) return "device";
  return tier === ShelfTier.RAM ? "ram" : "disk";
}
