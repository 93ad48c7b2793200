/** Streams that are gone, new or different: the broker stops instead of starting over empty. */
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { defaultPool, streams } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import {
  codeOf,
  FollowReader,
  findServerForTests,
  type NatsFarm,
  never,
  openNatsFarm,
  someControl,
  someOutcome,
  someTask,
  someTaskId,
} from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const server = await findServerForTests();
// Waiting for a lost consumer's heartbeats would take longer; 2.9 does not tell that it is gone.
const lostConsumerMs = server?.version.startsWith("2.9.") === true ? 30_000 : 8_000;
const bounds = { brokerRequestMs: 2_000, brokerCheckMs: 50 };

describe.runIf(server !== undefined)("the broker's state", () => {
  let farm: NatsFarm;
  let connection: NatsConnection;
  let manager: JetStreamManager;
  beforeEach(async () => {
    farm = await openNatsFarm({ bounds });
    connection = await connect({ servers: farm.server.url, maxReconnectAttempts: -1 });
    manager = await jetstreamManager(connection);
  });
  afterEach(async () => {
    await connection.close();
    await farm.close();
  });

  test("a deleted stream is STATE_LOST for calls, followers and the next start", async () => {
    const broker = await farm.connect();
    await broker.queue.add(someTask());
    const follow = new FollowReader(broker.outcomes.follow({ after: 0n, stop: never }));
    await follow.untilCaughtUp();
    const following = codeOf(follow.next());

    await manager.streams.delete(streams.outcomes);

    expect(await codeOf(broker.outcomes.publish(someOutcome()))).toBe("STATE_LOST");
    expect(await following).toBe("STATE_LOST");
    expect(broker.problem()).toBe("stream OUTCOMES is gone");
    expect(await codeOf(farm.connect())).toBe("STATE_LOST");
  });

  test("a deleted stream is noticed without any call", async () => {
    const broker = await farm.connect();

    await manager.streams.delete(streams.queue);

    await expect.poll(() => broker.problem()).toBe("stream QUEUE is gone");
    expect(await codeOf(broker.queue.add(someTask()))).toBe("STATE_LOST");
  });

  test("a stream created anew is not taken for the old one", async () => {
    const broker = await farm.connect({ bounds: { ...bounds, brokerCheckMs: 600_000 } });
    const { config } = await manager.streams.info(streams.queue);
    await manager.streams.delete(streams.queue);
    await manager.streams.add(config);

    await farm.server.restart();

    expect(await codeOf(broker.queue.add(someTask()))).toBe("STATE_LOST");
    expect(broker.problem()).toBe("stream QUEUE was deleted and created anew");
  });

  test("a server that came back empty is not written to", async () => {
    const broker = await farm.connect();
    const follow = new FollowReader(broker.queue.follow(never));
    await broker.queue.add(someTask());
    await follow.take(1);

    await farm.server.restart({ forget: true });

    expect(await codeOf(broker.queue.add(someTask({ index: 1 })))).toBe("STATE_LOST");
    expect(await codeOf(follow.take(1))).toBe("STATE_LOST");
  });

  test("a leader learns that the state is lost", async () => {
    const broker = await farm.connect();
    const term = await broker.leadership.acquire("one", never);

    await manager.streams.delete("KV_leader");

    await expect.poll(() => term.lost.aborted).toBe(true);
    expect(await codeOf(broker.leadership.acquire("one", never))).toBe("STATE_LOST");
  });

  test("brokers that start together share one declaration", async () => {
    const brokers = await Promise.all(Array.from({ length: 6 }, () => farm.connect()));

    const added = await Promise.all(
      brokers.map((broker, index) => broker.queue.add(someTask({ index }))),
    );

    expect(added).toEqual(Array(6).fill("added"));
  });

  test("a declaration that was cut short is finished while nothing was stored", async () => {
    await farm.connect();
    await manager.streams.delete("KV_pools");
    await manager.streams.delete("KV_leader");

    const broker = await farm.connect();

    expect(await broker.queue.add(someTask())).toBe("added");
  });

  describe("a farm of an older version, which has streams but not all of today's", () => {
    const newStreams = [streams.controls, streams.policies];
    const makeOlder = async (): Promise<void> => {
      const broker = await farm.connect();
      await broker.queue.add(someTask());
      await broker.drain();
      for (const name of newStreams) await manager.streams.delete(name);
      const { config } = await manager.streams.info(streams.queue);
      await manager.streams.update(streams.queue, { ...config, metadata: {} });
    };

    test("gets the new ones once, and keeps what it holds", async () => {
      await makeOlder();

      const brokers = await Promise.all(Array.from({ length: 4 }, () => farm.connect()));

      const found = await brokers[0]?.queue.find(defaultPool, someTaskId());
      expect(found?.task).toEqual(someTask());
      expect(await brokers[1]?.controls.put(someControl(), 0n)).toBe(1n);
      expect(await brokers[2]?.controls.put(someControl(), 0n)).toBe("conflict");
    });

    test.each(newStreams)("has lost %s when it is missing after that", async (name) => {
      await makeOlder();
      await (await farm.connect()).drain();

      await manager.streams.delete(name);

      await expect(farm.connect()).rejects.toThrow(`streams missing: ${name}, while QUEUE`);
    });

    test("has lost its state where an older stream is missing too", async () => {
      await makeOlder();
      await manager.streams.delete(streams.outcomes);

      expect(await codeOf(farm.connect())).toBe("STATE_LOST");
    });

    test("is refused by a broker that may not create streams", async () => {
      await makeOlder();

      expect(await codeOf(farm.connect({ streams: "require" }))).toBe("STATE_LOST");
    });
  });

  test("a new farm that lost its controls is not taken for an older one", async () => {
    const broker = await farm.connect();
    await broker.queue.add(someTask());
    await broker.drain();

    await manager.streams.delete(streams.controls);

    expect(await codeOf(farm.connect())).toBe("STATE_LOST");
  });

  test("a broker that may not create streams refuses an empty server", async () => {
    expect(await codeOf(farm.connect({ streams: "require" }))).toBe("STATE_LOST");

    await farm.connect();
    const broker = await farm.connect({ streams: "require" });
    expect(broker.problem()).toBeUndefined();
  });

  test.each(["QUEUE", "OUTCOMES", "KV_jobs", "KV_farm"])(
    "a lost %s is made anew only for who restores, and the farm then counts as not restored",
    async (lost) => {
      const first = await farm.connect();
      await first.queue.add(someTask());
      await first.outcomes.publish(someOutcome({ index: 1 }));
      await first.farm.markRestored(new Date());
      await first.drain();
      await manager.streams.delete(lost);
      expect(await codeOf(farm.connect())).toBe("STATE_LOST");

      const restorer = await farm.connect({ streams: "recreate" });

      expect(await restorer.farm.isRestored()).toBe(false);
      expect(await codeOf(farm.connect({ streams: "require" }))).toMatch("no FarmError");
    },
  );

  test("a farm that has all its streams stays restored", async () => {
    const first = await farm.connect();
    await first.farm.markRestored(new Date());

    const restorer = await farm.connect({ streams: "recreate" });

    expect(await restorer.farm.isRestored()).toBe(true);
  });

  test("epochs and positions of outcomes grow even over the loss of everything", async () => {
    const lease = { leaderLeaseMs: 1_000, leaderRenewMs: 300 };
    const before = await farm.connect({ bounds: { ...bounds, ...lease } });
    const first = await before.leadership.acquire("one", never);
    await before.outcomes.publish(someOutcome());
    const position = await before.outcomes.lastRevision();
    await before.drain();
    // What the farm counts in must have moved on, as it has whenever somebody restores one.
    await systemClock.sleep(300, never);

    await farm.server.restart({ forget: true });
    const after = await farm.connect({ bounds: { ...bounds, ...lease } });

    const second = await after.leadership.acquire("one", never);
    expect(second.epoch > first.epoch).toBe(true);
    expect(second.epoch < 2n ** 32n).toBe(true);
    await after.outcomes.publish(someOutcome());
    expect((await after.outcomes.lastRevision()) > position).toBe(true);
  });

  test("a process that counts other shards is refused and changes nothing", async () => {
    const first = await farm.connect({ shards: 2 });
    await first.queue.add(someTask());

    for (const shards of [1, 3]) {
      for (const mode of ["create", "recreate"] as const) {
        await expect(farm.connect({ shards, streams: mode })).rejects.toThrow(
          `this farm has 2 shard(s), and this process is set to ${shards}`,
        );
      }
    }

    const again = await farm.connect({ shards: 2 });
    expect(again.problem()).toBeUndefined();
  });

  test("whoever waits for it learns that the state is lost, and of nothing else", async () => {
    const [broker, other] = [await farm.connect(), await farm.connect()];
    const stop = new AbortController();
    const [lost, drained] = [broker.untilLost(never), other.untilLost(stop.signal)];

    await other.drain();
    const learnt = codeOf(lost);
    await manager.streams.delete(streams.queue);

    expect(await learnt).toBe("STATE_LOST");
    stop.abort();
    expect(await drained).toBeUndefined();
  });

  test("a stream that would break a guarantee is refused and left as it is", async () => {
    const first = await farm.connect();
    await first.drain();
    await manager.streams.update(streams.outcomes, { discard_new_per_subject: false });

    await expect(farm.connect()).rejects.toThrow(
      "stream OUTCOMES cannot be trusted: discard_new_per_subject is false, expected true",
    );

    const { config } = await manager.streams.info(streams.outcomes);
    expect(config.discard_new_per_subject ?? false).toBe(false);
  });

  test("an operator's own bound on the queue is kept", async () => {
    await (await farm.connect()).drain();
    await manager.streams.update(streams.queue, { max_msgs: 1 });

    const broker = await farm.connect();

    await broker.queue.add(someTask());
    expect(await codeOf(broker.queue.add(someTask({ index: 1 })))).toBe("QUEUE_FULL");
  });

  test(
    "followers leave no consumers behind and survive the loss of theirs",
    async () => {
      const broker = await farm.connect();
      const stop = new AbortController();
      const follow = new FollowReader(broker.queue.follow(stop.signal));
      await follow.untilCaughtUp();
      for await (const { name } of manager.consumers.list(streams.queue)) {
        await manager.consumers.delete(streams.queue, name);
      }

      await broker.queue.add(someTask());
      expect(await follow.take(1)).toHaveLength(1);
      stop.abort();
      await follow.next();

      const count = async () => (await manager.streams.info(streams.queue)).state.consumer_count;
      await expect.poll(count).toBe(0);
    },
    lostConsumerMs,
  );

  test("a message that nobody can read stops whoever follows", async () => {
    const broker = await farm.connect();
    connection.publish("queue.0.default.default.job.0", new Uint8Array([255, 255, 255]));

    const follow = new FollowReader(broker.queue.follow(never));

    expect(await codeOf(follow.take(1))).toBe("STATE_LOST");
  });
});
