/**
 * The jobs that this gateway has just taken in, with their outcomes, for whoever asks for them
 * here: one follower of the whole log instead of one for each watch and each render, which cost
 * the broker a consumer and the caller four round trips. A job that another gateway took in, or
 * this one long ago, is looked up and followed on its own.
 */
import type { Broker, Followed, StoredOutcome } from "@zfarm/broker";
import { type JobRecord, type JobRef, limits, taskIdOf } from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";

interface FeedNeeds {
  readonly outcomes: Pick<Broker["outcomes"], "follow" | "lastRevision">;
  readonly log: Log;
}

/** One job: all of its outcomes so far, and who is to be told of the next one. */
interface Feed {
  readonly taskCount: number;
  readonly entries: StoredOutcome[];
  readonly waiting: Set<() => void>;
  watchers: number;
  /** Once all of its tasks are stored; it never changes after that. */
  record: JobRecord | undefined;
}

export class OutcomeFeed {
  readonly #needs: FeedNeeds;
  /** Oldest first. */
  readonly #feeds = new Map<string, Feed>();
  readonly #closing = new AbortController();
  #collecting: Promise<void> | undefined;
  #reserved = 0;
  /** Why no outcomes come any more; `null` while they come, undefined before. */
  #ended: { readonly error: unknown } | null | undefined;

  constructor(needs: FeedNeeds) {
    this.#needs = needs;
  }

  /** Begins to collect outcomes. */
  static start(needs: FeedNeeds): OutcomeFeed {
    const feed = new OutcomeFeed(needs);
    feed.#collecting = feed.#collect();
    return feed;
  }

  /** Ends it, once nobody waits any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#collecting;
  }

  /** From here on outcomes of this new job are kept. Call before its first task is stored. */
  open(job: JobRef, taskCount: number): void {
    if (this.#ended !== null) return;
    this.#makeRoom(taskCount);
    if (this.#reserved + taskCount > limits.feedOutcomesMax) return;
    this.#reserved += taskCount;
    const waiting = new Set<() => void>();
    const feed = { taskCount, entries: [], waiting, watchers: 0, record: undefined };
    this.#feeds.set(keyOf(job), feed);
  }

  /** Keeps the record of a job whose tasks are stored, for whoever asks for it here next. */
  admitted(record: JobRecord): void {
    const feed = this.#feeds.get(keyOf(record));
    if (feed !== undefined) feed.record = record;
  }

  /** The record of a job that was admitted here; undefined where it has to be looked up. */
  recordOf(job: JobRef): JobRecord | undefined {
    return this.#feeds.get(keyOf(job))?.record;
  }

  /** The outcomes so far, oldest first; undefined where the job is not followed here. */
  outcomesOf(job: JobRef): readonly StoredOutcome[] | undefined {
    return this.#feeds.get(keyOf(job))?.entries;
  }

  /** All outcomes of a job, oldest first, and further ones as they come, until `stop` aborts. */
  follow(job: JobRef, stop: AbortSignal): AsyncIterable<Followed<StoredOutcome>> {
    const feed = this.#feeds.get(keyOf(job));
    if (feed === undefined) return this.#needs.outcomes.follow({ job, after: 0n, stop });
    return this.#read(feed, stop);
  }

  async *#read(feed: Feed, stop: AbortSignal): AsyncGenerator<Followed<StoredOutcome>> {
    feed.watchers += 1;
    try {
      for (let next = 0; !stop.aborted; ) {
        const entries = feed.entries.slice(next);
        next += entries.length;
        if (entries.length > 0) yield { kind: "entries", entries, unread: 0 };
        else if (this.#hasEnded()) return;
        else await untilTold(feed, stop);
      }
    } finally {
      feed.watchers -= 1;
    }
  }

  /** Whether nothing more will come; throws what ended it. */
  #hasEnded(): boolean {
    if (!this.#ended) return false;
    if (this.#ended.error !== undefined) throw this.#ended.error;
    return true;
  }

  /** What fails here fails for those who wait: calls say it one by one, and readiness does. */
  async #collect(): Promise<void> {
    const { outcomes, log } = this.#needs;
    try {
      const after = await outcomes.lastRevision();
      for await (const followed of outcomes.follow({ after, stop: this.#closing.signal })) {
        if (followed.kind === "caught-up") this.#ended ??= null;
        else this.#take(followed.entries);
      }
      this.#end(undefined);
    } catch (error) {
      log.warn({ error }, "outcomes are not followed any more");
      this.#end(error);
    }
  }

  #take(entries: readonly StoredOutcome[]): void {
    const grown = new Set<Feed>();
    for (const stored of entries) {
      const { spec } = stored.outcome;
      const feed = spec === undefined ? undefined : this.#feeds.get(keyOf(taskIdOf(spec)));
      if (feed === undefined) continue;
      feed.entries.push(stored);
      grown.add(feed);
    }
    for (const feed of grown) tell(feed);
  }

  #end(error: unknown): void {
    this.#ended = { error };
    for (const feed of this.#feeds.values()) tell(feed);
  }

  /** Jobs that nobody watches give way, the oldest first. */
  #makeRoom(taskCount: number): void {
    for (const [key, { watchers, taskCount: held }] of this.#feeds) {
      if (this.#reserved + taskCount <= limits.feedOutcomesMax) return;
      if (watchers > 0) continue;
      this.#feeds.delete(key);
      this.#reserved -= held;
    }
  }
}

function tell(feed: Feed): void {
  const waiting = [...feed.waiting];
  feed.waiting.clear();
  for (const wake of waiting) wake();
}

function untilTold(feed: Feed, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      stop.removeEventListener("abort", wake);
      feed.waiting.delete(wake);
      resolve();
    };
    feed.waiting.add(wake);
    stop.addEventListener("abort", wake);
  });
}

function keyOf({ project, job }: { readonly project: string; readonly job: string }): string {
  return `${project}.${job}`;
}
