/**
 * A log as the broker keeps it: the newest message of every key, in the order of writing, with
 * compare-and-set by revision. Followers get every message in order, late but surely.
 */
import type { Kernel, Proc } from "./kernel.ts";

export interface Stored<V> {
  readonly key: string;
  readonly value: V;
  readonly revision: bigint;
}

export type Put = bigint | "conflict" | "full";

export class Follower<V> {
  readonly proc: Proc;
  readonly life: number;
  readonly filter: ((key: string) => boolean) | undefined;
  readonly onEntry: (entry: Stored<V>) => void;
  readonly onCaughtUp: () => void;
  readonly onRead: Reader<V>["onRead"];
  pending: Stored<V>[];
  /** What it was given last. */
  cursor: bigint;
  isPlanned = false;
  isCaughtUp = false;
  isAway = false;
  /** Takes nothing in while it is set. */
  isHeld = false;
  isStopped = false;

  constructor(
    proc: Proc,
    reader: Reader<V>,
    { after, pending }: { readonly after: bigint; readonly pending: Stored<V>[] },
  ) {
    this.proc = proc;
    this.cursor = after;
    this.life = proc.life;
    this.filter = reader.filter;
    this.onEntry = reader.onEntry;
    this.onCaughtUp = reader.onCaughtUp;
    this.onRead = reader.onRead;
    this.pending = pending;
  }
}

interface Reader<V> {
  readonly filter?: (key: string) => boolean;
  readonly onEntry: (entry: Stored<V>) => void;
  readonly onCaughtUp: () => void;
  /** Behind the entries that came together: how many they were, and how many are stored. */
  readonly onRead?: ((count: number, unread: number) => void) | undefined;
}

/** A write that a power loss may undo. */
interface Write<V> {
  readonly stored: Stored<V>;
  /** What stood there before. */
  readonly replaced: Stored<V> | undefined;
  readonly lastBefore: bigint;
}

/** What a power loss has taken. */
export interface Loss<V> {
  /** Oldest first. */
  readonly gone: readonly { readonly stored: Stored<V>; readonly isFirst: boolean }[];
  /** Processes that were given something that is gone. */
  readonly ahead: readonly Proc[];
}

/** Writes that the disk may not have yet. */
const unsyncedMax = 16;

export class LogModel<V> {
  readonly #byKey = new Map<string, Stored<V>>();
  readonly #byRevision = new Map<bigint, Stored<V>>();
  readonly #followers = new Set<Follower<V>>();
  readonly #kernel: Kernel;
  /** How long a message is on its way to a follower; undefined while it cannot be reached. */
  readonly #delayTo: (proc: Proc) => number | undefined;
  #last = 0n;
  /** Followers are given so many at once until then. */
  #slow = { until: 0, most: 0 };
  #unsynced: Write<V>[] = [];

  constructor(kernel: Kernel, delayTo: (proc: Proc) => number | undefined) {
    this.#kernel = kernel;
    this.#delayTo = delayTo;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get lastRevision(): bigint {
    return this.#last;
  }

  get(key: string): Stored<V> | undefined {
    return this.#byKey.get(key);
  }

  /** What is older than the revision. */
  before(revision: bigint): Stored<V>[] {
    const older: Stored<V>[] = [];
    for (const stored of this.#byKey.values()) {
      if (stored.revision >= revision) break;
      older.push(stored);
    }
    return older;
  }

  at(revision: bigint): Stored<V> | undefined {
    return this.#byRevision.get(revision);
  }

  values(): IterableIterator<Stored<V>> {
    return this.#byKey.values();
  }

  /** Stores where the key is at the expected revision, 0n for none; undefined: in any case. */
  put(key: string, value: V, expected?: bigint): bigint | "conflict" {
    const standing = this.#byKey.get(key);
    if (expected !== undefined && (standing?.revision ?? 0n) !== expected) return "conflict";
    const lastBefore = this.#last;
    this.#last += 1n;
    const stored = { key, value, revision: this.#last };
    this.#unsynced.push({ stored, replaced: standing, lastBefore });
    if (this.#unsynced.length > unsyncedMax) this.#unsynced.shift();
    if (standing !== undefined) {
      this.#byKey.delete(key);
      this.#byRevision.delete(standing.revision);
    }
    this.#byKey.set(key, stored);
    this.#byRevision.set(stored.revision, stored);
    for (const follower of this.#followers) this.#offer(follower, stored);
    return stored.revision;
  }

  /** Harmless where the message is gone. */
  remove(revision: bigint): void {
    const standing = this.#byRevision.get(revision);
    if (standing === undefined) return;
    this.#byRevision.delete(revision);
    this.#byKey.delete(standing.key);
  }

  /** The next message gets this revision or a later one; what is older goes. */
  moveOn(revision: bigint): void {
    for (const { revision: old } of this.before(revision)) this.remove(old);
    if (revision > this.#last) this.#last = revision - 1n;
  }

  /**
   * Power loss: the newest writes were never on the disk, and what they replaced stands again. The
   * broker numbers on from what is left, so that revisions are given out a second time.
   */
  loseSuffix(count: number): Loss<V> {
    const lost = count === 0 ? [] : this.#unsynced.splice(-count);
    this.#unsynced = [];
    for (const { stored, replaced, lastBefore } of lost.toReversed()) {
      this.remove(stored.revision);
      if (replaced !== undefined) this.#putBack(replaced);
      this.#last = lastBefore;
    }
    const gone = lost.map(({ stored, replaced }) => ({ stored, isFirst: replaced === undefined }));
    return { gone, ahead: this.#bringBack() };
  }

  #putBack(stored: Stored<V>): void {
    this.#byRevision.set(stored.revision, stored);
    this.#byKey.set(stored.key, stored);
    const inOrder = [...this.#byKey.values()].toSorted((one, other) =>
      one.revision < other.revision ? -1 : 1,
    );
    this.#byKey.clear();
    for (const each of inOrder) this.#byKey.set(each.key, each);
  }

  /** Followers go on behind what they were given last; gives those that were given too much. */
  #bringBack(): Proc[] {
    const ahead: Proc[] = [];
    for (const follower of this.#followers) {
      if (follower.isStopped || follower.proc.life !== follower.life) continue;
      if (follower.cursor > this.#last) ahead.push(follower.proc);
      follower.pending = [...this.#byKey.values()].filter(
        ({ revision, key }) =>
          revision > follower.cursor && (follower.filter === undefined || follower.filter(key)),
      );
    }
    return ahead;
  }

  /** Followers fall behind: they get at most so many entries at a time, and each takes a while. */
  slow(forMs: number, most: number): void {
    this.#slow = { until: this.#kernel.now + forMs, most };
  }

  get #isSlow(): boolean {
    return this.#kernel.now < this.#slow.until;
  }

  follow(proc: Proc, after: bigint, reader: Reader<V>): Follower<V> {
    const pending: Stored<V>[] = [];
    for (const stored of this.#byKey.values()) {
      if (stored.revision <= after) continue;
      if (reader.filter === undefined || reader.filter(stored.key)) pending.push(stored);
    }
    const follower = new Follower<V>(proc, reader, { after, pending });
    this.#followers.add(follower);
    this.#plan(follower);
    return follower;
  }

  release(follower: Follower<V>): void {
    follower.isHeld = false;
    this.#plan(follower);
  }

  #offer(follower: Follower<V>, stored: Stored<V>): void {
    if (follower.isStopped || follower.proc.life !== follower.life) {
      this.#followers.delete(follower);
      return;
    }
    if (follower.filter !== undefined && !follower.filter(stored.key)) return;
    follower.pending.push(stored);
    this.#plan(follower);
  }

  #plan(follower: Follower<V>): void {
    if (follower.isPlanned || follower.isHeld || follower.isStopped) return;
    follower.isPlanned = true;
    const delayMs = (this.#isSlow ? undefined : this.#delayTo(follower.proc)) ?? 250;
    this.#kernel.after(delayMs, () => this.#deliver(follower), follower.proc);
  }

  #deliver(follower: Follower<V>): void {
    follower.isPlanned = false;
    if (follower.isStopped || follower.isHeld) return;
    if (this.#delayTo(follower.proc) === undefined) {
      if (!follower.isAway) follower.onRead?.(0, Number.POSITIVE_INFINITY);
      follower.isAway = true;
      this.#plan(follower);
      return;
    }
    follower.isAway = false;
    const batch = follower.pending.splice(0, this.#isSlow ? this.#slow.most : Infinity);
    for (const stored of batch) {
      follower.cursor = stored.revision;
      follower.onEntry(stored);
    }
    follower.onRead?.(batch.length, follower.pending.length);
    if (!follower.isCaughtUp && follower.pending.length === 0) {
      follower.isCaughtUp = true;
      follower.onCaughtUp();
    }
    if (follower.pending.length > 0) this.#plan(follower);
  }
}
