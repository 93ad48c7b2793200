/** The server comes back without its newest writes, as after a power cut: all of it is noticed. */
import type { Broker } from "@zfarm/broker";
import { limits } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import {
  codeOf,
  FollowReader,
  findServerForTests,
  type NatsFarm,
  never,
  openNatsFarm,
  someOutcome,
  someTask,
  startFaultProxy,
} from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const server = await findServerForTests();
const bounds = { brokerRequestMs: 2_000, brokerCheckMs: 50, leaderLeaseMs: 1_000 };

describe.runIf(server !== undefined)("a nats-server that lost its newest writes", () => {
  let farm: NatsFarm;
  beforeEach(async () => {
    farm = await openNatsFarm({ bounds });
    // Declares the streams.
    await (await farm.connect()).drain();
    await farm.server.snapshot();
  });
  afterEach(() => farm.close());

  const losePower = (): Promise<void> => farm.server.restart({ fromSnapshot: true });

  test("gives no epoch out a second time", async () => {
    const epochs: bigint[] = [];

    for (let cuts = 0; cuts < 3; cuts += 1) {
      const broker = await farm.connect();
      epochs.push((await broker.leadership.acquire("one", never)).epoch);
      await broker.drain();
      await losePower();
      // No machine is up again in less than what the farm counts in.
      await systemClock.sleep(limits.leaderRenewMs, never);
    }

    expect(new Set(epochs).size).toBe(3);
    expect(epochs).toEqual(epochs.toSorted((one, other) => Number(one - other)));
    expect(epochs.every((epoch) => epoch < 2n ** 32n)).toBe(true);
  });

  test("ends a process that had seen more", async () => {
    const broker = await farm.connect();
    await broker.queue.add(someTask());

    await losePower();

    expect(await codeOf(broker.queue.add(someTask({ index: 1 })))).toBe("STATE_LOST");
    expect(broker.problem()).toMatch(/^stream QUEUE ends at revision \d+, and \d+ was ackno/);
  });

  test.each([
    ["OUTCOMES", followOutcomes, publish],
    ["QUEUE", followQueue, add],
  ])("ends one that comes back when others have written on: %s", async (stream, follow, put) => {
    const proxy = await startFaultProxy({ targetPort: Number(new URL(farm.server.url).port) });
    const late = await farm.connect({ servers: [`nats://127.0.0.1:${proxy.port}`] });
    const reader = follow(late);
    await put(late, 1);
    await reader.take(1);
    proxy.set({ refuse: true });

    await losePower();
    const early = await farm.connect();
    for (const index of [2, 3]) await put(early, index);
    proxy.set({});

    expect(await codeOf(reader.take(1))).toBe("STATE_LOST");
    expect(late.problem()).toMatch(`stream ${stream} has another message at revision`);
    await proxy.stop();
  });
});

/** What the test needs of a reader of whichever log. */
type Reader = Pick<FollowReader<unknown>, "take">;

function followOutcomes(broker: Broker): Reader {
  return new FollowReader(broker.outcomes.follow({ after: 0n, stop: never }));
}

function followQueue(broker: Broker): Reader {
  return new FollowReader(broker.queue.follow(never));
}

async function publish(broker: Broker, index: number): Promise<unknown> {
  return await broker.outcomes.publish(someOutcome({ index }));
}

async function add(broker: Broker, index: number): Promise<unknown> {
  return await broker.queue.add(someTask({ index }));
}
