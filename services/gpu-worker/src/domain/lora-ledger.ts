/**
 * Which adapters the engine holds and which it is about to, how near each is, and who leaves when
 * another one needs the room: whatever was used longest ago, those that their owners want kept
 * last, and never one that a task is drawn with. Tiers follow the leader's own rule, so that the
 * two believe the same. Keeps account, does nothing.
 */
import { type LoraRef, limits } from "@zfarm/contract";

export interface LedgerBytes {
  /** What adapters may take in the engine's memory. */
  readonly ram: number;
  /** How much of that counts as on the device: what was used last. */
  readonly device: number;
}

export type Room =
  /** The stack is pinned; these left for it. */
  | { readonly kind: "pinned"; readonly victims: readonly string[] }
  /** Tasks must end first. */
  | { readonly kind: "wait" }
  /** The stack alone needs more than there is. */
  | { readonly kind: "never"; readonly needsBytes: number };

export interface LedgerItem {
  readonly digest: string;
  readonly bytes: number;
  readonly tier: "device" | "ram";
}

interface Entry {
  readonly digest: string;
  bytes: number;
  /** Tasks that want it and wait for room. */
  wanted: number;
  /** Tasks that it is held for: it stays. */
  pins: number;
  isLoaded: boolean;
  isOnDevice: boolean;
}

export class LoraLedger {
  readonly #max: LedgerBytes;
  /** In the order of use, oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** Digests that tasks said are to be kept before others, as far as that is remembered. */
  readonly #kept = new Set<string>();

  constructor(max: LedgerBytes) {
    this.#max = max;
  }

  isLoaded(digest: string): boolean {
    return this.#entries.get(digest)?.isLoaded === true;
  }

  /** Whether some task needs it now. */
  isNeeded(digest: string): boolean {
    const entry = this.#entries.get(digest);
    return entry !== undefined && entry.pins + entry.wanted > 0;
  }

  /** Whether its owner wants it at hand before others. */
  isKept(digest: string): boolean {
    return this.#kept.has(digest);
  }

  tierOf(digest: string): "device" | "ram" | "none" {
    const entry = this.#entries.get(digest);
    if (entry?.isLoaded !== true) return "none";
    return entry.isOnDevice ? "device" : "ram";
  }

  /** A stack was granted: it is the newest on the device, and what does not fit there any more is
   * not. The adapters of one stack do not displace each other. */
  note(stack: readonly LoraRef[]): void {
    for (const ref of stack) {
      const entry = this.#open(ref);
      this.#entries.delete(ref.digest);
      this.#entries.set(ref.digest, entry);
      entry.isOnDevice = true;
    }
    const onDevice = [...this.#entries.values()].filter((entry) => entry.isOnDevice);
    let bytes = total(onDevice);
    for (const entry of onDevice) {
      if (bytes <= this.#max.device || stack.some(({ digest }) => digest === entry.digest)) break;
      entry.isOnDevice = false;
      bytes -= entry.bytes;
    }
  }

  /** A task waits for room for its stack. */
  want(stack: readonly LoraRef[]): void {
    for (const ref of stack) {
      this.#open(ref).wanted += 1;
      this.#hearWish(ref);
    }
  }

  giveUp(stack: readonly LoraRef[]): void {
    for (const ref of stack) this.#change(ref, (entry) => (entry.wanted -= 1));
  }

  /** Makes room for a wanted stack and holds it there, or says why not. */
  pin(stack: readonly LoraRef[]): Room {
    const needsBytes = stack.reduce((sum, ref) => sum + this.#open(ref).bytes, 0);
    if (needsBytes > this.#max.ram) return { kind: "never", needsBytes };
    const kept = new Set(stack.map(({ digest }) => digest));
    const inRam = [...this.#entries.values()].filter(isInRam);
    const others = inRam.filter(({ digest }) => !kept.has(digest));
    let bytes = needsBytes + total(others);
    const victims: Entry[] = [];
    for (const entry of this.#asTheyLeave(others)) {
      if (bytes <= this.#max.ram) break;
      if (entry.pins > 0) continue;
      victims.push(entry);
      bytes -= entry.bytes;
    }
    if (bytes > this.#max.ram) return { kind: "wait" };
    for (const victim of victims) this.#unload(victim);
    for (const ref of stack) {
      this.#change(ref, (entry) => {
        entry.wanted -= 1;
        entry.pins += 1;
      });
    }
    return { kind: "pinned", victims: victims.map(({ digest }) => digest) };
  }

  /** A task that the stack was held for has ended. */
  unpin(stack: readonly LoraRef[]): void {
    for (const ref of stack) this.#change(ref, (entry) => (entry.pins -= 1));
  }

  /**
   * The engine holds it and says what it takes. What leaves because that is more than was
   * believed, or because nobody waits for it any longer.
   */
  load(digest: string, bytes: number): readonly string[] {
    const entry = this.#open({ digest, sizeBytes: BigInt(bytes) });
    entry.bytes = bytes;
    entry.isLoaded = true;
    const inRam = [...this.#entries.values()].filter(isInRam);
    let sum = total(inRam);
    const victims: string[] = [];
    for (const victim of this.#asTheyLeave(inRam)) {
      if (sum <= this.#max.ram) break;
      if (victim.pins > 0) continue;
      victims.push(victim.digest);
      sum -= victim.bytes;
      this.#unload(victim);
    }
    return victims;
  }

  /** The engine is gone, and its memory with it. */
  loseAll(): void {
    for (const entry of this.#entries.values()) this.#unload(entry);
  }

  /** The newest first; what was granted counts though it is still on its way. */
  items(): LedgerItem[] {
    return [...this.#entries.values()].toReversed().map(({ digest, bytes, isOnDevice }) => {
      return { digest, bytes, tier: isOnDevice ? "device" : "ram" };
    });
  }

  bytesIn(tier: LedgerItem["tier"]): number {
    const entries = [...this.#entries.values()].filter(({ isLoaded }) => isLoaded);
    return total(entries.filter(({ isOnDevice }) => isOnDevice === (tier === "device")));
  }

  /** Those to be kept last, else as they are: the ones used longest ago first. */
  #asTheyLeave(entries: readonly Entry[]): Entry[] {
    const isKept = ({ digest }: Entry): number => Number(this.#kept.has(digest));
    return entries.toSorted((one, other) => isKept(one) - isKept(other));
  }

  /** The newest task knows best. */
  #hearWish({ digest, pinned }: LoraRef): void {
    this.#kept.delete(digest);
    if (pinned === true) this.#kept.add(digest);
    const [oldest] = this.#kept;
    if (this.#kept.size > limits.shelfItemsMax && oldest !== undefined) this.#kept.delete(oldest);
  }

  #open({ digest, sizeBytes }: Pick<LoraRef, "digest" | "sizeBytes">): Entry {
    const known = this.#entries.get(digest);
    if (known !== undefined) return known;
    const bytes = Number(sizeBytes);
    const entry = { digest, bytes, wanted: 0, pins: 0, isLoaded: false, isOnDevice: false };
    this.#entries.set(digest, entry);
    return entry;
  }

  #change({ digest }: Pick<LoraRef, "digest">, change: (entry: Entry) => void): void {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return;
    change(entry);
    this.#forgetIfIdle(entry);
  }

  #unload(entry: Entry): void {
    entry.isLoaded = false;
    if (entry.pins + entry.wanted === 0) entry.isOnDevice = false;
    this.#forgetIfIdle(entry);
  }

  #forgetIfIdle(entry: Entry): void {
    if (!entry.isLoaded && entry.pins + entry.wanted === 0) this.#entries.delete(entry.digest);
  }
}

function isInRam({ isLoaded, pins }: Entry): boolean {
  return isLoaded || pins > 0;
}

function total(entries: readonly Entry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}
