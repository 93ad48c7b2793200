import type { LeaderTerm } from "@zfarm/broker";
import { limits } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { never, type OpenFarm, useFarm } from "./broker-farm.ts";

/** Short enough to wait for, long enough for a slow machine to renew in. */
const bounds = { leaderLeaseMs: 1_500, leaderRenewMs: 250, leaderRetryMs: 50 };

export function defineLeadershipContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("leadership", () => {
    test("goes to one candidate; the other leads after it resigned, in a later epoch", async () => {
      const farm = await start(bounds);
      const [one, two] = [await farm.connect(), await farm.connect()];
      const first = await one.leadership.acquire("one", never);
      const standby = watch(two.leadership.acquire("two", never));

      // Several leases long: it must be renewals that keep the standby out.
      await systemClock.sleep(2 * bounds.leaderLeaseMs, never);
      expect([standby.term, first.lost.aborted]).toEqual([undefined, false]);
      await first.resign();

      const second = await standby.promise;
      expect(second.epoch > first.epoch).toBe(true);
      expect(first.lost.aborted).toBe(false);
    });

    test("passes on when its holder dies, which learns of it", async () => {
      const farm = await start(bounds);
      const [one, two] = [await farm.connect(), await farm.connect()];
      const first = await one.leadership.acquire("one", never);
      const standby = watch(two.leadership.acquire("two", never));

      await one.drain();

      expect(first.lost.aborted).toBe(true);
      expect((await standby.promise).epoch > first.epoch).toBe(true);
    });

    test("says until when it may grant, and since when nobody else has", async () => {
      const farm = await start(bounds);
      const [one, two] = [await farm.connect(), await farm.connect()];
      const startedAt = systemClock.monotonic();
      const first = await one.leadership.acquire("one", never);
      const granted = first.grantsUntil;
      const standby = two.leadership.acquire("two", never);
      await expect.poll(() => first.grantsUntil).toBeGreaterThan(granted);
      await one.drain();
      const until = first.grantsUntil;

      const second = await standby;

      expect(granted).toBeGreaterThanOrEqual(startedAt + limits.leaderGrantsMs);
      expect(second.quietSince).toBeGreaterThanOrEqual(until);
      expect(second.quietSince).toBeLessThanOrEqual(systemClock.monotonic());
    });

    test("is quiet only from now on where a lease is given up or lost", async () => {
      const farm = await start(bounds);
      const [one, two] = [await farm.connect(), await farm.connect()];
      const first = await one.leadership.acquire("one", never);
      const standby = two.leadership.acquire("two", never);
      const resignedAt = systemClock.monotonic();
      await first.resign();

      const second = await standby;

      expect(second.quietSince).toBeGreaterThanOrEqual(Math.min(resignedAt, first.grantsUntil));
    });

    test("is held by one of many who ask at once", async () => {
      const farm = await start(bounds);
      const brokers = await Promise.all([farm.connect(), farm.connect(), farm.connect()]);
      const asked = brokers.map((broker, index) =>
        watch(broker.leadership.acquire(`c${index}`, never)),
      );
      const epochs: bigint[] = [];

      for (let turn = 0; turn < brokers.length; turn += 1) {
        const term = await Promise.race(
          asked.filter(({ used }) => !used).map(({ promise }) => promise),
        );
        const holders = asked.filter((each) => each.term !== undefined && !each.used);
        expect(holders).toHaveLength(1);
        for (const holder of holders) holder.used = true;
        epochs.push(term.epoch);
        await term.resign();
      }

      expect(epochs).toEqual(epochs.toSorted((a, b) => Number(a - b)));
      expect(new Set(epochs).size).toBe(3);
    });

    test("is no longer waited for when stopped, with the signal's reason", async () => {
      const farm = await start(bounds);
      const [one, two] = [await farm.connect(), await farm.connect()];
      await one.leadership.acquire("one", never);
      const stop = new AbortController();
      const waiting = two.leadership.acquire("two", stop.signal);

      stop.abort(new RangeError("no longer needed"));

      await expect(waiting).rejects.toThrow("no longer needed");
      await expect(two.leadership.acquire("two", stop.signal)).rejects.toThrow("no longer needed");
    });

    test("can be had again by the one who resigned, twice over", async () => {
      const { leadership } = await (await start(bounds)).connect();
      const first = await leadership.acquire("one", never);
      await first.resign();
      await first.resign();

      const second = await leadership.acquire("one", never);

      expect(second.epoch > first.epoch).toBe(true);
      await first.resign();
      expect(second.lost.aborted).toBe(false);
    });
  });
}

interface Watched {
  readonly promise: Promise<LeaderTerm>;
  /** Set once the promise is fulfilled. */
  term: LeaderTerm | undefined;
  used: boolean;
}

function watch(acquiring: Promise<LeaderTerm>): Watched {
  const promise = acquiring.then((term) => {
    watched.term = term;
    return term;
  });
  const watched: Watched = { promise, term: undefined, used: false };
  // Those still waiting when their broker is drained reject, and nobody asks them any more.
  promise.catch(() => undefined);
  return watched;
}
