/**
 * The worker's adapters: from the store to the disk, to the engine's memory, to the device. Holds
 * those of tasks that are drawn, makes room by displacement, and says what is where.
 */
import {
  type LoraRef,
  limits,
  type Shelf,
  type ShelfItem,
  ShelfTier,
  type TaskFailure,
} from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";
import { Bell } from "../bell.ts";
import { describeLoraFailure, type LoraTrouble } from "../domain/lora-failures.ts";
import type { LoraLedger } from "../domain/lora-ledger.ts";
import type { EngineProcess } from "../engine-process.ts";
import type { LoraFetch, LoraFetcher } from "./lora-fetcher.ts";
import type { LoraFolder } from "./lora-folder.ts";
import type { ShelfMetrics } from "./shelf-metrics.ts";

export interface LoraShelfNeeds {
  readonly ledger: LoraLedger;
  readonly folder: Pick<LoraFolder, "items" | "has" | "bytes" | "drop">;
  readonly fetcher: Pick<LoraFetcher, "fetch">;
  readonly engine: Pick<EngineProcess, "loadLora" | "dropLora">;
  readonly deviceBytes: number;
  readonly rankBudget: number;
  readonly log: Log;
  readonly metrics: ShelfMetrics;
}

/** One task's claim on its adapters, from its lease to its end. */
export class LoraHold {
  readonly stack: readonly LoraRef[];
  /** They are held in the engine, or loading into it. */
  isPinned = false;
  /** Aborts when the task has ended or was let go of. */
  readonly end = new AbortController();

  constructor(stack: readonly LoraRef[]) {
    this.stack = [...new Map(stack.map((ref) => [ref.digest, ref])).values()];
  }

  get isOver(): boolean {
    return this.end.signal.aborted;
  }
}

export type LoraBring =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly failure: TaskFailure }
  /** The engine went before it began with it: unharmed. */
  | { readonly kind: "refused" }
  /** The task was let go of while it waited. */
  | { readonly kind: "released" };

type Trouble = { readonly kind: LoraTrouble; readonly message: string };

/** The file on the disk is not what its name says; it is gone now. */
type Corrupt = { readonly kind: "corrupt"; readonly digest: string; readonly message: string };

export class LoraShelf {
  readonly #needs: LoraShelfNeeds;
  /** Those that wait for room, first come first served: a large stack is not passed for ever. */
  readonly #line: LoraHold[] = [];
  readonly #bell = new Bell();
  readonly #loads = new Map<string, Promise<LoraBring | Corrupt>>();

  constructor(needs: LoraShelfNeeds) {
    this.#needs = needs;
  }

  /** Takes note of a grant's stacks, as the leader has done, in its order. */
  note(stacks: readonly (readonly LoraRef[])[]): void {
    const seen = new Set<string>();
    for (const stack of stacks) {
      const name = stack.map(({ digest, weight }) => `${digest}*${weight}`).join(" ");
      if (stack.length > 0 && !seen.has(name)) this.#needs.ledger.note(stack);
      seen.add(name);
    }
  }

  /** Claims the adapters; they are there at once where `isReady` says so, else `bring` them. */
  hold(stack: readonly LoraRef[]): LoraHold {
    const hold = new LoraHold(stack);
    const { ledger, metrics } = this.#needs;
    for (const { digest } of hold.stack) metrics.usesTotal.inc({ tier: this.#tierOf(digest) });
    ledger.want(hold.stack);
    // Nobody is passed who waits for room.
    if (this.#line.length === 0 && this.#areLoaded(hold.stack)) this.#pin(hold);
    return hold;
  }

  /** Whether the engine has them all now. */
  isReady(hold: LoraHold): boolean {
    return hold.isPinned && this.#areLoaded(hold.stack);
  }

  /**
   * Resolves once the engine has them all and keeps them, or with why it has not; at once when the
   * hold is released, though what is under way goes on for those who come next.
   */
  async bring(hold: LoraHold): Promise<LoraBring> {
    if (hold.isOver) return { kind: "released" };
    const over = new Promise<LoraBring>((resolve) => {
      const release = (): void => resolve({ kind: "released" });
      hold.end.signal.addEventListener("abort", release, { once: true });
    });
    return await Promise.race([this.#bringTwice(hold), over]);
  }

  /** The task has ended: its adapters may leave. */
  release(hold: LoraHold): void {
    if (hold.isOver) return;
    hold.end.abort();
    if (hold.isPinned) this.#needs.ledger.unpin(hold.stack);
    else this.#needs.ledger.giveUp(hold.stack);
    this.#changed();
  }

  /** Brings an adapter that a task will need soon, as far as that goes without waiting. */
  async prewarm(ref: LoraRef): Promise<void> {
    const hold = new LoraHold([ref]);
    this.#needs.ledger.want(hold.stack);
    const fetched = await this.#fetchMissing(hold);
    if (fetched.kind === "failed") {
      this.#needs.log.warn({ why: fetched.failure.message }, "adapter could not be prewarmed");
    } else if (this.#line.length === 0 && this.#pin(hold).kind === "ready") {
      await this.#ensureLoaded(ref.digest);
    }
    this.release(hold);
  }

  /** What the engine held is gone. */
  loseEngine(): void {
    this.#needs.ledger.loseAll();
    this.#changed();
  }

  report(): Shelf {
    const { ledger, folder, deviceBytes, rankBudget } = this.#needs;
    const items = new Map<string, ShelfItem>();
    const tiers = { device: ShelfTier.DEVICE, ram: ShelfTier.RAM };
    for (const { digest, bytes, tier } of ledger.items()) {
      items.set(digest, { digest, sizeBytes: BigInt(bytes), tier: tiers[tier] });
    }
    for (const [digest, bytes] of folder.items()) {
      if (items.has(digest)) continue;
      items.set(digest, { digest, sizeBytes: BigInt(bytes), tier: ShelfTier.DISK });
    }
    const nearest = [...items.values()].slice(0, limits.shelfItemsMax);
    return { items: nearest, deviceBytes: BigInt(deviceBytes), rankBudget };
  }

  /** What turns out to be broken on the disk is fetched anew, once. */
  async #bringTwice(hold: LoraHold): Promise<LoraBring> {
    const first = await this.#bringOnce(hold);
    if (first.kind !== "corrupt") return first;
    const second = await this.#bringOnce(hold);
    if (second.kind !== "corrupt") return second;
    return failed(second.digest, { kind: "unreadable", message: second.message });
  }

  async #bringOnce(hold: LoraHold): Promise<LoraBring | Corrupt> {
    const fetched = await this.#fetchMissing(hold);
    if (fetched.kind !== "ready") return fetched;
    const room = await this.#waitForRoom(hold);
    if (room.kind !== "ready") return room;
    const loads = await Promise.all(hold.stack.map(({ digest }) => this.#ensureLoaded(digest)));
    return loads.find(({ kind }) => kind !== "ready") ?? { kind: "ready" };
  }

  /** Onto the disk first, all at once: nobody holds or waits for memory while a file comes. */
  async #fetchMissing({ stack }: LoraHold): Promise<LoraBring> {
    const missing = stack.filter(({ digest }) => !this.#needs.ledger.isLoaded(digest));
    const fetches = missing.map(async ({ digest }): Promise<LoraBring> => {
      const fetch = await this.#fetch(digest);
      return fetch.kind === "there" ? { kind: "ready" } : failed(digest, fetch);
    });
    return (await Promise.all(fetches)).find(({ kind }) => kind !== "ready") ?? { kind: "ready" };
  }

  async #fetch(digest: string): Promise<LoraFetch> {
    const { fetcher, metrics } = this.#needs;
    const end = metrics.loadSeconds.startTimer({ tier: "store" });
    const fetch = await fetcher.fetch(digest);
    if (fetch.kind === "there" && fetch.from === "store") end();
    this.#changed();
    return fetch;
  }

  async #waitForRoom(hold: LoraHold): Promise<LoraBring> {
    if (hold.isPinned) return { kind: "ready" };
    this.#line.push(hold);
    let room: LoraBring | { readonly kind: "wait" } = { kind: "wait" };
    await this.#bell.until(() => {
      if (!hold.isOver && this.#line[0] === hold) room = this.#pin(hold);
      return room.kind !== "wait";
    }, hold.end.signal);
    this.#line.splice(this.#line.indexOf(hold), 1);
    this.#bell.ring();
    return room.kind === "wait" ? { kind: "released" } : room;
  }

  #pin(hold: LoraHold): LoraBring | { readonly kind: "wait" } {
    const room = this.#needs.ledger.pin(hold.stack);
    if (room.kind === "wait") return room;
    if (room.kind === "never") {
      const digests = hold.stack.map(({ digest }) => digest).join(", ");
      const message = `needs ${room.needsBytes} bytes of memory, more than this worker has for it`;
      return failed(digests, { kind: "not-held", message });
    }
    hold.isPinned = true;
    this.#drop(room.victims);
    return { kind: "ready" };
  }

  async #ensureLoaded(digest: string): Promise<LoraBring | Corrupt> {
    if (this.#needs.ledger.isLoaded(digest)) return { kind: "ready" };
    const underWay = this.#loads.get(digest);
    if (underWay !== undefined) return await underWay;
    const loading = this.#load(digest).finally(() => this.#loads.delete(digest));
    this.#loads.set(digest, loading);
    return await loading;
  }

  async #load(digest: string): Promise<LoraBring | Corrupt> {
    const { engine, ledger, folder, log, metrics } = this.#needs;
    // It was fetched before, but may have left the disk since.
    const fetch = await this.#fetch(digest);
    if (fetch.kind !== "there") return failed(digest, fetch);
    const load = await engine.loadLora(digest, fetch.path);
    switch (load.kind) {
      case "loaded": {
        const { bytes, loadMs } = load;
        metrics.loadSeconds.observe({ tier: "disk" }, loadMs / 1_000);
        this.#drop(ledger.load(digest, bytes));
        log.info({ sha256: digest, bytes, load_ms: Math.round(loadMs) }, "adapter is loaded");
        this.#changed();
        return { kind: "ready" };
      }
      case "failed":
        log.warn({ sha256: digest, why: load.failure.message }, "adapter could not be loaded");
        if (load.failure.kind !== "corrupt") return failed(digest, load.failure);
        await folder.drop(digest);
        return { kind: "corrupt", digest, message: load.failure.message };
      case "crashed":
        return { kind: "failed", failure: load.failure };
      case "refused":
        return load;
    }
  }

  #drop(victims: readonly string[]): void {
    for (const digest of victims) {
      this.#needs.engine.dropLora(digest);
      this.#needs.metrics.evictionsTotal.inc({ tier: "ram" });
    }
  }

  #tierOf(digest: string): "device" | "ram" | "disk" | "store" {
    const tier = this.#needs.ledger.tierOf(digest);
    if (tier !== "none") return tier;
    return this.#needs.folder.has(digest) ? "disk" : "store";
  }

  #areLoaded(stack: readonly LoraRef[]): boolean {
    return stack.every(({ digest }) => this.#needs.ledger.isLoaded(digest));
  }

  #changed(): void {
    const { ledger, folder, metrics } = this.#needs;
    metrics.bytes.set({ tier: "device" }, ledger.bytesIn("device"));
    metrics.bytes.set({ tier: "ram" }, ledger.bytesIn("ram"));
    metrics.bytes.set({ tier: "disk" }, folder.bytes);
    this.#bell.ring();
  }
}

function failed(digest: string, trouble: Trouble): LoraBring {
  return { kind: "failed", failure: describeLoraFailure(digest, trouble) };
}
