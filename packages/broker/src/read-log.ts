/** Reads a log as it stands: everything that a follower hears until it has caught up. */
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { Followed } from "./broker.ts";

interface Reading {
  readonly clock: Clock;
  /** For the error text. */
  readonly what: string;
  readonly max: number;
}

/** Oldest first; undefined where there are more than `max`. BROKER_UNAVAILABLE. */
export async function readLog<Entry>(
  follow: (stop: AbortSignal) => AsyncIterable<Followed<Entry>>,
  { clock, what, max }: Reading,
): Promise<Entry[] | undefined> {
  const found: Entry[] = [];
  const done = new AbortController();
  const late = clock.sleep(limits.brokerRequestMs, done.signal).then(() => done.abort());
  try {
    for await (const followed of follow(done.signal)) {
      if (followed.kind === "caught-up") return found;
      for (const entry of followed.entries) found.push(entry);
      if (found.length > max) return undefined;
    }
  } finally {
    done.abort();
    await late;
  }
  throw new FarmError("BROKER_UNAVAILABLE", `${what} not read in time`);
}
