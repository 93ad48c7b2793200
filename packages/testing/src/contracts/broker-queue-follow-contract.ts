import type { Broker, StoredTask } from "@zfarm/broker";
import { defaultPool, limits } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { FollowReader, never, type OpenFarm, useFarm } from "./broker-farm.ts";
import { someTask, someTaskId } from "./broker-messages.ts";

export function defineQueueFollowContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("following the queue", () => {
    test("yields the backlog in order, then caught-up, then what comes", async () => {
      const farm = await start();
      const [writer, reader] = [await farm.connect(), await farm.connect()];
      for (const index of [2, 0, 1]) await writer.queue.add(someTask({ index }));
      const follow = new FollowReader(reader.queue.follow(never));

      expect(indexesOf(await follow.untilCaughtUp())).toEqual([2, 0, 1]);
      await writer.queue.add(someTask({ index: 3 }));

      expect(indexesOf(await follow.take(1))).toEqual([3]);
    });

    test("is caught up at once where nothing is live", async () => {
      const { queue } = await (await start()).connect();
      await queue.add(someTask());
      await removeTask(queue, 0);
      const follow = new FollowReader(queue.follow(never));

      expect(await follow.untilCaughtUp()).toEqual([]);
      await queue.add(someTask({ index: 1 }));

      expect(indexesOf(await follow.take(1))).toEqual([1]);
    });

    test("shows a rewritten task once, at its new place", async () => {
      const { queue } = await (await start()).connect();
      for (const index of [0, 1, 2]) await queue.add(someTask({ index }));
      await rewriteTask(queue, 0);
      await removeTask(queue, 1);

      const backlog = await new FollowReader(queue.follow(never)).untilCaughtUp();

      expect(indexesOf(backlog)).toEqual([2, 0]);
      expect(backlog[1]?.task.attempts).toBe(1);
    });

    test("yields a task again when it is rewritten later", async () => {
      const { queue } = await (await start()).connect();
      await queue.add(someTask());
      const follow = new FollowReader(queue.follow(never));
      await follow.untilCaughtUp();

      await rewriteTask(queue, 0);

      expect((await follow.take(1))[0]?.task.attempts).toBe(1);
    });

    test("catches up even where the backlog's end is removed meanwhile", async () => {
      const broker = await (await start()).connect();
      // What is on its way to the follower when the rest vanishes cannot say that it is the last.
      const onItsWay = limits.followMessagesMax;
      await addTasks(broker, { from: 0, count: onItsWay + 100 });
      const follow = new FollowReader(broker.queue.follow(never));
      const first = await follow.take(1);
      for (let index = onItsWay; index < onItsWay + 100; index += 1) {
        await removeTask(broker.queue, index);
      }

      const rest = await follow.untilCaughtUp();

      expect(first.length + rest.length).toBeGreaterThanOrEqual(onItsWay);
    });

    test("misses and repeats nothing while it is written to", async () => {
      const farm = await start();
      const [writer, reader] = [await farm.connect(), await farm.connect()];
      const early = await addTasks(writer, { from: 0, count: 300 });
      const late = addTasks(writer, { from: 300, count: 300 });

      const follow = new FollowReader(reader.queue.follow(never));
      const backlog = await follow.untilCaughtUp();
      const rest = await follow.take(600 - backlog.length);
      await late;

      const revisions = [...backlog, ...rest].map(({ revision }) => revision);
      expect(backlog.length).toBeGreaterThanOrEqual(early);
      expect(revisions).toEqual(revisions.toSorted((a, b) => Number(a - b)));
      expect(new Set(indexesOf([...backlog, ...rest])).size).toBe(600);
    });

    test("ends when it is stopped, wherever on its way that meets it", async () => {
      const { queue } = await (await start()).connect();

      for (let turns = 0; turns < 100; turns += 1) {
        const stop = new AbortController();
        const ended = new FollowReader(queue.follow(stop.signal)).untilEnd();
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        stop.abort();
        await expect(ended).resolves.toBeUndefined();
      }
    });

    test("ends when it is stopped, while it waits and before it began", async () => {
      const { queue } = await (await start()).connect();
      const stop = new AbortController();
      const follow = new FollowReader(queue.follow(stop.signal));
      await follow.untilCaughtUp();
      const waiting = follow.next();

      stop.abort();

      expect(await waiting).toBeUndefined();
      expect(await new FollowReader(queue.follow(stop.signal)).next()).toBeUndefined();
    });
  });
}

function indexesOf(stored: readonly StoredTask[]): (number | undefined)[] {
  return stored.map(({ task }) => task.spec?.index);
}

async function revisionOf(queue: Broker["queue"], index: number): Promise<bigint> {
  const stored = await queue.find(defaultPool, someTaskId(index));
  expect(stored, `task ${index} is live`).toBeDefined();
  return stored?.revision ?? 0n;
}

async function removeTask(queue: Broker["queue"], index: number): Promise<void> {
  await queue.remove(await revisionOf(queue, index));
}

async function rewriteTask(queue: Broker["queue"], index: number): Promise<void> {
  await queue.rewrite(someTask({ index, attempts: 1 }), await revisionOf(queue, index));
}

interface AddTasksOptions {
  readonly from: number;
  readonly count: number;
}

/** Adds tasks at once and gives their number. */
async function addTasks(broker: Broker, { from, count }: AddTasksOptions): Promise<number> {
  const indexes = Array.from({ length: count }, (_, offset) => from + offset);
  await Promise.all(indexes.map((index) => broker.queue.add(someTask({ index }))));
  return count;
}
