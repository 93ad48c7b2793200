/** Blobs in this process's memory: for tests, and for a farm that is gone when it stops. */
import { readFile } from "node:fs/promises";
import { FarmError } from "@zfarm/contract";
import { type Clock, systemClock } from "@zfarm/runtime";
import { assertBlobKey, assertBlobPrefix } from "./blob-key.ts";
import type { BlobInfo, BlobRange, BlobStore } from "./blob-store.ts";
import { assertUrlSeconds } from "./url-seconds.ts";

interface Held {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly modifiedMs: number;
}

export function createMemoryBlobStore(clock: Clock = systemClock): BlobStore {
  return new MemoryBlobStore(clock);
}

class MemoryBlobStore implements BlobStore {
  readonly kind = "memory";
  readonly #clock: Clock;
  readonly #blobs = new Map<string, Held>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async put(key: string, bytes: Uint8Array, contentType: string): Promise<void> {
    this.#assertUsable(key);
    // A copy both ways: nobody's later write to an array may change what is stored.
    this.#blobs.set(key, { bytes: bytes.slice(), contentType, modifiedMs: this.#clock.now() });
  }

  /** In memory as a whole all the same: that is what this store is. */
  async putFile(key: string, path: string, contentType: string): Promise<void> {
    this.#assertUsable(key);
    await this.put(key, await readFile(path), contentType);
  }

  async create(key: string, bytes: Uint8Array, contentType: string): Promise<"created" | "exists"> {
    this.#assertUsable(key);
    if (this.#blobs.has(key)) return "exists";
    await this.put(key, bytes, contentType);
    return "created";
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.#assertUsable(key);
    return this.#blobs.get(key)?.bytes.slice();
  }

  async getRange(key: string, { offset, length }: BlobRange): Promise<Uint8Array | undefined> {
    this.#assertUsable(key);
    return this.#blobs.get(key)?.bytes.slice(offset, offset + length);
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    this.#assertUsable(key);
    return this.#info(key);
  }

  async remove(key: string): Promise<void> {
    this.#assertUsable(key);
    this.#blobs.delete(key);
  }

  async *list(prefix: string, after = ""): AsyncIterable<BlobInfo> {
    assertBlobPrefix(prefix);
    this.#assertOpen();
    const keys = [...this.#blobs.keys()].filter((key) => key.startsWith(prefix) && key > after);
    for (const key of keys.toSorted()) {
      // What was removed since the listing began is left out, as elsewhere.
      const info = this.#info(key);
      if (info !== undefined) yield info;
    }
  }

  /** A data URL: the one kind that needs no server and that every client can fetch. */
  async url(key: string, ttlSeconds: number): Promise<string> {
    this.#assertUsable(key);
    assertUrlSeconds(ttlSeconds);
    const held = this.#blobs.get(key);
    if (held === undefined) throw new FarmError("OBJECT_MISSING", `nothing stands at ${key}`);
    return `data:${held.contentType};base64,${Buffer.from(held.bytes).toString("base64")}`;
  }

  async problem(): Promise<string | undefined> {
    return this.#isClosed ? "the object store is closed" : undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#blobs.clear();
  }

  #assertUsable(key: string): void {
    assertBlobKey(key);
    this.#assertOpen();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new FarmError("STORE_UNAVAILABLE", "the object store is closed");
  }

  #info(key: string): BlobInfo | undefined {
    const held = this.#blobs.get(key);
    if (held === undefined) return undefined;
    return { key, sizeBytes: held.bytes.byteLength, modifiedMs: held.modifiedMs };
  }
}
