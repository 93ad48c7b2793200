/** One broker's view of a store in memory. */

import type { Followed, Revision } from "../broker.ts";
import { drainedReason } from "../drained.ts";
import type { FollowRequest, LogMessage, PutRequest, PutResult, SubjectLog } from "../ports.ts";
import type { MemoryStore } from "./memory-store.ts";
import { createSubjectFilter } from "./subject-filter.ts";

export class MemoryLog implements SubjectLog {
  readonly name: string;
  readonly #store: MemoryStore;
  readonly #closing: AbortSignal;

  constructor(store: MemoryStore, closing: AbortSignal) {
    this.name = store.name;
    this.#store = store;
    this.#closing = closing;
  }

  async put(request: PutRequest): Promise<PutResult> {
    return this.#open().put(request);
  }

  async last(subject: string): Promise<LogMessage | undefined> {
    return this.#open().last(subject);
  }

  async remove(revision: Revision): Promise<void> {
    this.#open().remove(revision);
  }

  async removeBefore(revision: Revision, filter?: string): Promise<void> {
    const store = this.#open();
    store.removeBefore(revision, createSubjectFilter(filter ?? ">"));
    if (filter === undefined) store.moveOn(revision);
  }

  async lastRevision(): Promise<Revision> {
    return this.#open().lastRevision;
  }

  async *follow({ filter, after, stop }: FollowRequest): AsyncIterable<Followed<LogMessage>> {
    const store = this.#open();
    const matches = createSubjectFilter(filter);
    const ended = AbortSignal.any([stop, this.#closing]);
    const target = store.lastRevision;
    let cursor = after;
    let caughtUp = false;
    const unread = (): number => store.after(cursor, { matches, until: undefined }).length;
    if (!ended.aborted) yield { kind: "entries", entries: [], unread: unread() };
    while (!ended.aborted) {
      const entries = store.after(cursor, { matches, until: caughtUp ? undefined : target });
      cursor = entries.at(-1)?.revision ?? cursor;
      if (entries.length > 0) yield { kind: "entries", entries, unread: unread() };
      else if (!caughtUp) {
        caughtUp = true;
        yield { kind: "caught-up" };
      } else {
        // Everything there is was looked at, so the next look starts behind it.
        if (store.lastRevision > cursor) cursor = store.lastRevision;
        await store.written(ended);
      }
    }
  }

  #open(): MemoryStore {
    if (!this.#closing.aborted) return this.#store;
    throw drainedReason();
  }
}
