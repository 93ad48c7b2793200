/** What a stream keeps: the newest message of every subject in the order of writing. */
import { FarmError } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { Revision } from "../broker.ts";
import type { LogMessage, PutRequest, PutResult } from "../ports.ts";

export interface MemoryStoreOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Messages are gone this long after they were written. */
  readonly maxAgeMs?: number;
  /** Subjects; a further one is refused with QUEUE_FULL. */
  readonly messagesMax?: number;
}

interface Entry extends LogMessage {
  readonly writtenAt: number;
  live: boolean;
}

/** Dead entries are left in place until there are this many and more than live ones. */
const deadBeforeSweep = 1_024;

export class MemoryStore {
  readonly name: string;
  readonly #options: MemoryStoreOptions;
  /** Ascending by revision; dead ones are skipped. */
  #entries: Entry[] = [];
  /** Everything before this index is dead. */
  #head = 0;
  readonly #bySubject = new Map<string, Entry>();
  #lastRevision = 0n;
  #waiting: (() => void)[] = [];

  constructor(options: MemoryStoreOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get lastRevision(): Revision {
    return this.#lastRevision;
  }

  put({ subject, bytes, expected }: PutRequest): PutResult {
    this.#expire();
    const standing = this.#bySubject.get(subject);
    if (expected !== undefined && expected !== (standing?.revision ?? 0n)) {
      return { kind: "conflict" };
    }
    const { messagesMax = Number.POSITIVE_INFINITY, clock } = this.#options;
    if (standing === undefined && this.#bySubject.size >= messagesMax) {
      throw new FarmError("QUEUE_FULL", `${this.name} holds ${messagesMax} messages, its bound`);
    }
    if (standing !== undefined) this.#kill(standing);
    this.#lastRevision += 1n;
    const revision = this.#lastRevision;
    const entry = { subject, bytes, revision, writtenAt: clock.monotonic(), live: true };
    this.#entries.push(entry);
    this.#bySubject.set(subject, entry);
    this.#wake();
    return { kind: "stored", revision };
  }

  last(subject: string): LogMessage | undefined {
    this.#expire();
    return this.#bySubject.get(subject);
  }

  remove(revision: Revision): void {
    const entry = this.#entries[this.#indexAfter(revision - 1n)];
    if (entry?.live === true && entry.revision === revision) this.#kill(entry);
  }

  removeBefore(revision: Revision, matches: (subject: string) => boolean): void {
    const end = this.#indexAfter(revision - 1n);
    for (const entry of this.#entries.slice(0, end)) {
      if (entry.live && matches(entry.subject)) this.#kill(entry);
    }
  }

  /** The next message gets this revision or a later one. */
  moveOn(revision: Revision): void {
    if (revision > this.#lastRevision) this.#lastRevision = revision - 1n;
  }

  /** The live messages after a revision whose subjects match, oldest first. */
  after(
    revision: Revision,
    { matches, until }: { matches: (subject: string) => boolean; until: Revision | undefined },
  ): LogMessage[] {
    this.#expire();
    const end = until === undefined ? this.#entries.length : this.#indexAfter(until);
    const newer = this.#entries.slice(this.#indexAfter(revision), end);
    return newer.filter((entry) => entry.live && matches(entry.subject));
  }

  /** Resolves at the next write, or when `stop` aborts. */
  written(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (stop.aborted) return resolve();
      const wake = (): void => {
        stop.removeEventListener("abort", wake);
        resolve();
      };
      stop.addEventListener("abort", wake);
      this.#waiting.push(wake);
    });
  }

  /** The index of the first entry, dead or alive, that is newer. */
  #indexAfter(revision: Revision): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.revision ?? 0n) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #kill(entry: Entry): void {
    entry.live = false;
    this.#bySubject.delete(entry.subject);
    const dead = this.#entries.length - this.#bySubject.size;
    if (dead < deadBeforeSweep || dead < this.#bySubject.size) return;
    this.#entries = this.#entries.filter(({ live }) => live);
    this.#head = 0;
  }

  /** Messages stand in the order of their age, so the expired ones are the first. */
  #expire(): void {
    const { maxAgeMs = Number.POSITIVE_INFINITY, clock } = this.#options;
    const oldest = clock.monotonic() - maxAgeMs;
    for (;;) {
      const entry = this.#entries[this.#head];
      if (entry === undefined || (entry.live && entry.writtenAt > oldest)) return;
      this.#head += 1;
      if (entry.live) this.#kill(entry);
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
