/**
 * Brings adapters from the object store to the disk: one fetch for each digest at a time, a few at
 * once, piece by piece, so that a broken connection costs one piece. What arrives is held to its
 * digest before anyone sees it.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { BlobStore } from "@zfarm/blobs";
import { FarmError, type LoraDigest, limits, loraKey, parseLoraDigest } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import { retry } from "../retry.ts";
import type { FileNeeds, LoraFolder } from "./lora-folder.ts";
import { Turns } from "./turns.ts";

export interface LoraFetcherNeeds extends FileNeeds {
  readonly folder: LoraFolder;
  readonly blobs: Pick<BlobStore, "stat" | "getRange">;
  readonly clock: Clock;
  /** Aborts when the worker ends: what did not work is not tried again. */
  readonly stop: AbortSignal;
}

export type LoraFetch =
  | { readonly kind: "there"; readonly path: string; readonly from: "disk" | "store" }
  | { readonly kind: "missing" | "corrupt" | "unavailable" | "not-held"; readonly message: string };

interface Written {
  readonly isWhole: boolean;
  /** The digest of what arrived; undefined where the object went meanwhile. */
  readonly got: string | undefined;
}

/** A file of another content is fetched once more: it may have been broken on its way. */
const fetchesMax = 2;

export class LoraFetcher {
  readonly #needs: LoraFetcherNeeds;
  readonly #turns = new Turns(limits.loraFetchesMax);
  readonly #underWay = new Map<LoraDigest, Promise<LoraFetch>>();

  constructor(needs: LoraFetcherNeeds) {
    this.#needs = needs;
  }

  /** The adapter on the disk, from there or from the store. Who asks for one on its way waits. */
  async fetch(text: string): Promise<LoraFetch> {
    const digest = parseLoraDigest(text);
    if (digest === undefined) return { kind: "missing", message: "is no SHA-256 of a file" };
    const underWay = this.#underWay.get(digest);
    if (underWay !== undefined) return await underWay;
    const fetching = this.#fetch(digest).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, fetching);
    return await fetching;
  }

  async #fetch(digest: LoraDigest): Promise<LoraFetch> {
    try {
      const path = await this.#needs.folder.use(digest);
      if (path !== undefined) return { kind: "there", path, from: "disk" };
      return await this.#turns.run(() => this.#download(digest));
    } catch (error) {
      if (error instanceof FarmError) return { kind: "unavailable", message: error.message };
      const message = error instanceof Error ? error.message : String(error);
      return { kind: "not-held", message: `the disk of this worker: ${message}` };
    }
  }

  async #download(digest: LoraDigest): Promise<LoraFetch> {
    const { folder, blobs, isNeeded, isKept } = this.#needs;
    const key = loraKey(digest);
    const info = await this.#retry(() => blobs.stat(key));
    if (info === undefined) return missing(key);
    const file = { digest, bytes: info.sizeBytes };
    let got = "";
    for (let count = 0; count < fetchesMax; count += 1) {
      const write = (draft: string): Promise<Written> => this.#write(draft, file);
      const written = await folder.add(file, { isNeeded, isKept, write });
      if (written === undefined) {
        const message = `${file.bytes} bytes do not fit on the disk of this worker`;
        return { kind: "not-held", message };
      }
      if (written.isWhole) return { kind: "there", path: folder.path(digest), from: "store" };
      if (written.got === undefined) return missing(key);
      got = written.got;
    }
    return { kind: "corrupt", message: `${key} has the content of ${got}` };
  }

  async #write(
    draft: string,
    { digest, bytes }: { readonly digest: LoraDigest; readonly bytes: number },
  ): Promise<Written> {
    const key = loraKey(digest);
    const hash = createHash("sha256");
    const file = await open(draft, "wx");
    try {
      for (let offset = 0; offset < bytes; ) {
        if (this.#needs.stop.aborted) throw new FarmError("DRAINING", "the worker ends");
        const range = { offset, length: Math.min(limits.loraPieceBytes, bytes - offset) };
        const piece = await this.#retry(() => this.#needs.blobs.getRange(key, range));
        if (piece === undefined || piece.byteLength === 0)
          return { isWhole: false, got: undefined };
        hash.update(piece);
        await file.writeFile(piece);
        offset += piece.byteLength;
      }
    } finally {
      await file.close();
    }
    const got = hash.digest("hex");
    return { isWhole: got === digest, got };
  }

  #retry<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, stop } = this.#needs;
    return retry(attempt, { clock, stop });
  }
}

function missing(key: string): LoraFetch {
  return { kind: "missing", message: `the object store has no ${key}` };
}
