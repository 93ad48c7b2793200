import type { Broker } from "@zfarm/broker";
import { describe, expect, test } from "vitest";
import { codeOf, FollowReader, never, type OpenFarm, useFarm } from "./broker-farm.ts";
import { someJob, someOutcome, someTask, someWorkRequest } from "./broker-messages.ts";

/** One call of every kind. */
const calls: readonly (readonly [string, (broker: Broker) => Promise<unknown>])[] = [
  ["queue.add", ({ queue }) => queue.add(someTask())],
  ["queue.remove", ({ queue }) => queue.remove(1n)],
  ["outcomes.publish", ({ outcomes }) => outcomes.publish(someOutcome())],
  ["outcomes.list", ({ outcomes }) => outcomes.list(someJob())],
  ["outcomes.lastRevision", ({ outcomes }) => outcomes.lastRevision()],
  ["controls.find", ({ controls }) => controls.find(someJob())],
  ["policies.pools.find", ({ policies }) => policies.pools.find("default")],
  ["jobs.find", ({ jobs }) => jobs.find(someJob())],
  ["link.ask", ({ link }) => link.ask(someWorkRequest(), never)],
  ["progress.subscribe", ({ progress }) => progress.subscribe(someJob(), () => undefined)],
  ["queries.ask", ({ queries }) => queries.ask({ query: undefined })],
  ["leadership.acquire", ({ leadership }) => leadership.acquire("one", never)],
];

export function defineLifeContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("draining", () => {
    test("ends every follower and leaves other brokers alone", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];
      const tasks = new FollowReader(one.queue.follow(never));
      const outcomes = new FollowReader(one.outcomes.follow({ after: 0n, stop: never }));
      const others = new FollowReader(two.queue.follow(never));
      await Promise.all([tasks, outcomes, others].map((each) => each.untilCaughtUp()));
      const waiting = Promise.all([tasks.next(), outcomes.next()]);

      await one.drain();

      expect(await waiting).toEqual([undefined, undefined]);
      await two.queue.add(someTask());
      expect(await others.take(1)).toHaveLength(1);
    });

    test("keeps what was stored before", async () => {
      const farm = await start();
      const one = await farm.connect();
      await one.outcomes.publish(someOutcome());

      await one.drain();

      const two = await farm.connect();
      expect(await two.outcomes.list(someJob())).toHaveLength(1);
    });

    test("is harmless when repeated, and shows", async () => {
      const broker = await (await start()).connect();
      expect(broker.problem()).toBeUndefined();

      await broker.drain();
      await broker.drain();

      expect(broker.problem()).toBe("the broker is drained");
    });

    test.each(calls)("%s fails afterwards", async (_name, call) => {
      const broker = await (await start()).connect();

      await broker.drain();

      expect(await codeOf(call(broker))).toBe("BROKER_UNAVAILABLE");
    });
  });
}
