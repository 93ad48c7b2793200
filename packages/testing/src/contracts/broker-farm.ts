/** How the broker's contract suites get at a farm, and how they read what is followed. */
import type { Broker, BrokerBounds, Followed } from "@zfarm/broker";
import { FarmError } from "@zfarm/contract";
import { afterEach, expect } from "vitest";
import { someJob } from "./broker-messages.ts";

/** An empty farm: whatever is stored through one of its brokers is seen through the others. */
export interface FarmUnderTest {
  connect(): Promise<Broker>;
  /** Closes everything that is still open. */
  close(): Promise<void>;
}

/** Shards: 1 where they are not given. */
export type OpenFarm = (bounds: Partial<BrokerBounds>, shards?: number) => Promise<FarmUnderTest>;

/** Starts farms for tests and closes each after its test. */
export function useFarm(
  open: OpenFarm,
): (bounds?: Partial<BrokerBounds>, shards?: number) => Promise<FarmUnderTest> {
  const farms: FarmUnderTest[] = [];
  afterEach(async () => {
    for (const farm of farms.splice(0)) await farm.close();
  });
  return async (bounds = {}, shards = 1) => {
    const farm = await open(bounds, shards);
    farms.push(farm);
    return farm;
  };
}

/** Resolves when what this broker subscribed to before is in force everywhere. */
export async function settle(broker: Broker): Promise<void> {
  const unsubscribe = await broker.progress.subscribe(someJob("nobody"), () => undefined);
  unsubscribe();
}

/** One entry, or the sign that all older ones were seen. */
type FollowStep<Entry> =
  | { readonly kind: "entry"; readonly entry: Entry }
  | { readonly kind: "caught-up" };

/** Reads a followed log step by step. */
export class FollowReader<Entry> {
  readonly #iterator: AsyncIterator<Followed<Entry>>;
  /** Read, and not given yet. */
  readonly #ready: FollowStep<Entry>[] = [];

  constructor(followed: AsyncIterable<Followed<Entry>>) {
    this.#iterator = followed[Symbol.asyncIterator]();
  }

  /** The next item, or undefined when following has ended. */
  async next(): Promise<FollowStep<Entry> | undefined> {
    while (this.#ready.length === 0) {
      const step = await this.#iterator.next();
      if (step.done === true) return undefined;
      this.#ready.push(...stepsOf(step.value));
    }
    return this.#ready.shift();
  }

  /** Resolves when following has ended. */
  async untilEnd(): Promise<void> {
    let followed = await this.next();
    while (followed !== undefined) followed = await this.next();
  }

  /** The entries up to "caught-up". */
  async untilCaughtUp(): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (;;) {
      const followed = await this.next();
      expect(followed, "following ended before it caught up").toBeDefined();
      if (followed?.kind !== "entry") return entries;
      entries.push(followed.entry);
    }
  }

  /** The next entries, past "caught-up" where it comes between them. */
  async take(count: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    while (entries.length < count) {
      const followed = await this.next();
      expect(followed, `following ended after ${entries.length} entries`).toBeDefined();
      if (followed?.kind === "entry") entries.push(followed.entry);
    }
    return entries;
  }
}

function stepsOf<Entry>(followed: Followed<Entry>): FollowStep<Entry>[] {
  if (followed.kind === "caught-up") return [followed];
  return followed.entries.map((entry) => ({ kind: "entry", entry }));
}

/** The code of the FarmError that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  return thrown instanceof FarmError ? thrown.code : `no FarmError but ${String(thrown)}`;
}

export const never: AbortSignal = new AbortController().signal;
