/** The server is killed with work under way: nothing acknowledged is lost, nothing counts twice. */
import type { Broker, Followed, StoredOutcome, StoredTask } from "@zfarm/broker";
import { defaultPool, FarmError } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import {
  FollowReader,
  findServerForTests,
  type NatsFarm,
  never,
  openNatsFarm,
  someJob,
  someOutcome,
  someTask,
  someTaskId,
  startCuttingProxy,
} from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const tasks = 150;
const kills = 4;
const server = await findServerForTests();
// 2.9 may bring a removed message back after SIGKILL; the farm copes, because whoever leads looks
// for a task's outcome before granting it.
const keepsRemovals = server !== undefined && !server.version.startsWith("2.9.");

describe.runIf(server !== undefined)("a nats-server that is killed", () => {
  let farm: NatsFarm;
  beforeEach(async () => {
    farm = await openNatsFarm();
  });
  afterEach(() => farm.close());

  test("keeps every task that was added, and shows each once and in order", async () => {
    const [writer, reader] = [await farm.connect(), await farm.connect()];
    const seen = collect(reader.queue.follow(never));
    const killing = killAgainAndAgain(farm);

    for (let index = 0; index < tasks; index += 1) {
      await persist(() => writer.queue.add(someTask({ index })));
    }
    await killing;

    await expect.poll(() => seen.length).toBe(tasks);
    expect(seen.map(({ task }) => task.spec?.index)).toEqual([...Array(tasks).keys()]);
    expectAscending(seen);
    const backlog = await new FollowReader(reader.queue.follow(never)).untilCaughtUp();
    expect(backlog).toEqual(seen);
  });

  test("lets one of two rivals win each task, and tells the same to both", async () => {
    const rivals = [await farm.connect(), await farm.connect()];
    const reader = await farm.connect();
    const seen = collect(reader.outcomes.follow({ after: 0n, stop: never }));
    const killing = killAgainAndAgain(farm);

    const results = await Promise.all(rivals.map((rival, index) => endTasks(rival, index)));
    await killing;

    await expect.poll(() => seen.length).toBe(tasks);
    expectAscending(seen);
    for (const { outcome } of seen) {
      const index = outcome.spec?.index ?? 0;
      const told = results.map((result) => result[index]);
      expect(told.filter((each) => each === "won")).toHaveLength(1);
      expect(told[Number(outcome.fence) - 1]).toBe("won");
    }
    expect(await reader.outcomes.list(someJob())).toEqual(seen);
  });

  test("finds its followers again at once, with all that they missed", async () => {
    const [writer, reader] = [await farm.connect(), await farm.connect()];
    const follow = new FollowReader(reader.queue.follow(never));
    await writer.queue.add(someTask({ index: 0 }));
    await follow.take(1);

    await farm.server.kill();
    await farm.server.restart();
    for (let index = 1; index <= 40; index += 1) {
      await persist(() => writer.queue.add(someTask({ index })));
    }

    const rest = await follow.take(40);
    expect(rest.map(({ task }) => task.spec?.index)).toEqual(
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
  });

  test("may lose the connection of a follower as often as it likes", async () => {
    const proxy = await startCuttingProxy(Number(new URL(farm.server.url).port));
    const servers = [`nats://127.0.0.1:${proxy.port}`];
    const [writer, reader] = [await farm.connect(), await farm.connect({ servers })];
    const seen = collect(reader.queue.follow(never));

    for (let index = 0; index < 3_000; index += 1) {
      await writer.queue.add(someTask({ index }));
      if (index % 500 === 250) proxy.cutAll();
    }

    await expect.poll(() => seen.length).toBe(3_000);
    expectAscending(seen);
    await proxy.stop();
  });

  test.runIf(keepsRemovals)("keeps removals and rewrites that were answered", async () => {
    const broker = await farm.connect();
    for (const index of [0, 1]) await broker.queue.add(someTask({ index }));
    const revisions = await Promise.all([0, 1].map((index) => revisionOf(broker, index)));
    await broker.queue.remove(revisions[0] ?? 0n);
    await broker.queue.rewrite(someTask({ index: 1, attempts: 1 }), revisions[1] ?? 0n);

    await farm.server.kill();
    await farm.server.restart();

    const backlog = await new FollowReader(broker.queue.follow(never)).untilCaughtUp();
    expect(backlog.map(({ task }) => task)).toEqual([someTask({ index: 1, attempts: 1 })]);
  });
});

async function killAgainAndAgain({ server }: NatsFarm): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    await systemClock.sleep(150, never);
    await server.kill();
    await systemClock.sleep(100, never);
    await server.restart();
  }
}

/** Ends every task as the rival with this number, and gives what it was told for each. */
async function endTasks(rival: Broker, number: number): Promise<("won" | "lost")[]> {
  const told: ("won" | "lost")[] = [];
  for (let index = 0; index < tasks; index += 1) {
    const outcome = someOutcome({ index, fence: BigInt(number + 1) });
    told.push(await persist(() => rival.outcomes.publish(outcome)));
  }
  return told;
}

/** Repeats a call while the broker is away, as every caller does. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof FarmError) || error.code !== "BROKER_UNAVAILABLE") throw error;
    }
  }
}

/** Entries as they come; the follower ends with its broker. */
function collect<Entry>(followed: AsyncIterable<Followed<Entry>>): Entry[] {
  const entries: Entry[] = [];
  void (async () => {
    for await (const each of followed) if (each.kind === "entries") entries.push(...each.entries);
  })();
  return entries;
}

function expectAscending(entries: readonly (StoredTask | StoredOutcome)[]): void {
  const revisions = entries.map(({ revision }) => Number(revision));
  expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  expect(new Set(revisions).size).toBe(revisions.length);
}

async function revisionOf({ queue }: Broker, index: number): Promise<bigint> {
  return (await queue.find(defaultPool, someTaskId(index)))?.revision ?? 0n;
}
