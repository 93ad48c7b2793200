/**
 * The adapters on this machine's disk: files named by their digest in one folder, which workers
 * may share. A file appears whole or not at all; whoever reads it checks its digest, so nothing
 * here is trusted. The ones used longest ago leave when another one needs the room.
 */
import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import { Turns } from "./turns.ts";

const filePattern = /^([0-9a-f]{64})\.safetensors$/;
const draftSuffix = ".draft";

export interface LoraFolderOptions {
  readonly folder: string;
  readonly bytesMax: number;
  readonly clock: Clock;
  /** Refuses a folder that others made or may write to. */
  readonly mustBeOwn?: boolean;
  /** Called for each file that left for another one. */
  readonly onEvict?: () => void;
}

/** What is known of the adapters that might leave. */
export interface FileNeeds {
  /** Whether some task needs it now: it stays. */
  readonly isNeeded: (digest: string) => boolean;
  /** Whether it is wanted at hand before others: it leaves last. */
  readonly isKept: (digest: string) => boolean;
}

interface HeldFile {
  readonly digest: string;
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
}

export class LoraFolder {
  readonly #options: LoraFolderOptions;
  /** What was seen there last, by digest; other workers may have changed it since. */
  readonly #seen = new Map<string, number>();
  /** Bytes of drafts that are being written. */
  #drafts = 0;
  /** One after the other: two files must not count on the same room. */
  readonly #turns = new Turns(1);

  private constructor(options: LoraFolderOptions) {
    this.#options = options;
  }

  /** Creates the folder where it is missing, its user's alone. INTERNAL where it cannot be used. */
  static async open(options: LoraFolderOptions): Promise<LoraFolder> {
    const opened = new LoraFolder(options);
    try {
      await mkdir(options.folder, { recursive: true, mode: 0o700 });
      if (options.mustBeOwn === true) await requireOwn(options.folder);
      await opened.#removeOldDrafts();
      await opened.#list();
    } catch (cause) {
      if (cause instanceof FarmError) throw cause;
      const message = `the folder of adapters cannot be used: ${options.folder}: ${codeOf(cause)}`;
      throw new FarmError("INTERNAL", message, { cause });
    }
    return opened;
  }

  get bytes(): number {
    return [...this.#seen.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Digest and size of what was there when it was looked at last. */
  items(): Iterable<[digest: string, bytes: number]> {
    return this.#seen.entries();
  }

  has(digest: string): boolean {
    return this.#seen.has(digest);
  }

  path(digest: string): string {
    return join(this.#options.folder, `${digest}.safetensors`);
  }

  /** The path of an adapter that is there, which counts as used now; undefined where it is not. */
  async use(digest: string): Promise<string | undefined> {
    const path = this.path(digest);
    try {
      const { size } = await stat(path);
      const now = new Date(this.#options.clock.now());
      await utimes(path, now, now);
      this.#seen.set(digest, size);
      return path;
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      this.#seen.delete(digest);
      return undefined;
    }
  }

  /** The file is not what its name says. */
  async drop(digest: string): Promise<void> {
    this.#seen.delete(digest);
    await rm(this.path(digest), { force: true });
  }

  /**
   * Takes in a file: room is made, `write` fills the draft, and if it says so the draft becomes
   * the adapter. Undefined where it does not fit, whatever leaves but the needed ones.
   */
  async add<T extends { readonly isWhole: boolean }>(
    file: { readonly digest: string; readonly bytes: number },
    needs: FileNeeds & { readonly write: (draft: string) => Promise<T> },
  ): Promise<T | undefined> {
    const hasRoom = await this.#turns.run(() => this.#makeRoom(file.bytes, needs));
    if (!hasRoom) return undefined;
    const draft = `${this.path(file.digest)}.${randomBytes(6).toString("hex")}${draftSuffix}`;
    try {
      const written = await needs.write(draft);
      if (written.isWhole) {
        await rename(draft, this.path(file.digest));
        this.#seen.set(file.digest, file.bytes);
      }
      return written;
    } finally {
      this.#drafts -= file.bytes;
      await rm(draft, { force: true });
    }
  }

  /** Whether there is; then it is set aside for a draft. */
  async #makeRoom(needed: number, { isNeeded, isKept }: FileNeeds): Promise<boolean> {
    const files = await this.#list();
    const { bytesMax, onEvict } = this.#options;
    let over = files.reduce((sum, { bytes }) => sum + bytes, this.#drafts + needed) - bytesMax;
    const leaving: HeldFile[] = [];
    const order = ({ digest }: HeldFile): number => Number(isKept(digest));
    const byUse = files.toSorted((one, other) => one.usedMs - other.usedMs);
    for (const file of byUse.toSorted((one, other) => order(one) - order(other))) {
      if (over <= 0) break;
      if (isNeeded(file.digest)) continue;
      leaving.push(file);
      over -= file.bytes;
    }
    if (over > 0) return false;
    for (const { digest, path } of leaving) {
      await rm(path, { force: true });
      this.#seen.delete(digest);
      onEvict?.();
    }
    this.#drafts += needed;
    return true;
  }

  async #list(): Promise<HeldFile[]> {
    const names = await readdir(this.#options.folder);
    const files = await Promise.all(names.map((name) => this.#describe(name)));
    const found = files.filter((file) => file !== undefined);
    this.#seen.clear();
    for (const { digest, bytes } of found) this.#seen.set(digest, bytes);
    return found;
  }

  async #describe(name: string): Promise<HeldFile | undefined> {
    const digest = filePattern.exec(name)?.[1];
    if (digest === undefined) return undefined;
    const path = this.path(digest);
    // Another worker may remove it between the two looks.
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return undefined;
    return { digest, path, bytes: found.size, usedMs: found.mtimeMs };
  }

  async #removeOldDrafts(): Promise<void> {
    const { folder, clock } = this.#options;
    for (const name of await readdir(folder)) {
      if (!name.endsWith(draftSuffix)) continue;
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || clock.now() - found.mtimeMs < limits.loraDraftMs) continue;
      await rm(path, { force: true });
    }
  }
}

/**
 * A file is read once for its digest and once more for what it holds: nobody may change it between.
 * Undefined uids are of systems that have none.
 */
async function requireOwn(folder: string): Promise<void> {
  // Not `stat`: a link could be another user's.
  const found = await lstat(folder);
  const own = process.getuid?.();
  const isOwn = found.uid === own && (found.mode & 0o022) === 0 && found.isDirectory();
  if (own === undefined || isOwn) return;
  const problem = `others may write to the folder of adapters ${folder}`;
  throw new FarmError("INTERNAL", `${problem}; WORKER_LORA_DIR names another`);
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
