import { defaultPool } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { codeOf, type OpenFarm, useFarm } from "./broker-farm.ts";
import { someTask, someTaskId } from "./broker-messages.ts";

export function defineQueueContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("task queue", () => {
    test("gives back what was added", async () => {
      const { queue } = await (await start()).connect();
      const task = someTask({ index: 3, attempts: 2 });

      expect(await queue.add(task)).toBe("added");

      expect((await queue.find(defaultPool, someTaskId(3)))?.task).toEqual(task);
      expect(await queue.find(defaultPool, someTaskId(4))).toBeUndefined();
    });

    test("keeps the first of two tasks with one identity", async () => {
      const { queue } = await (await start()).connect();
      await queue.add(someTask({ prompt: "first" }));

      expect(await queue.add(someTask({ prompt: "second" }))).toBe("exists");

      const stored = await queue.find(defaultPool, someTaskId());
      expect(stored?.task.spec?.image?.prompt).toBe("first");
    });

    test("lets one of many concurrent adds through", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];

      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? one : two).queue.add(someTask({ prompt: `${index}` })),
        ),
      );

      expect(results.filter((result) => result === "added")).toHaveLength(1);
    });

    test("rewrites a task only from the revision it is at", async () => {
      const { queue } = await (await start()).connect();
      await queue.add(someTask());
      const before = (await queue.find(defaultPool, someTaskId()))?.revision ?? 0n;

      const after = await queue.rewrite(someTask({ attempts: 1 }), before);

      const stored = await queue.find(defaultPool, someTaskId());
      const task = someTask({ attempts: 1 });
      expect(stored).toEqual({ task, revision: after, isBundled: false });
      expect(Number(after)).toBeGreaterThan(Number(before));
      expect(await queue.rewrite(someTask({ attempts: 2 }), before)).toBe("conflict");
    });

    test("lets one of two concurrent rewrites through", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];
      await one.queue.add(someTask());
      const revision = (await one.queue.find(defaultPool, someTaskId()))?.revision ?? 0n;

      const results = await Promise.all([
        one.queue.rewrite(someTask({ attempts: 1 }), revision),
        two.queue.rewrite(someTask({ attempts: 2 }), revision),
      ]);

      expect(results.filter((result) => result === "conflict")).toHaveLength(1);
    });

    test("does not bring back a removed task by a rewrite", async () => {
      const { queue } = await (await start()).connect();
      await queue.add(someTask());
      const revision = (await queue.find(defaultPool, someTaskId()))?.revision ?? 0n;
      await queue.remove(revision);

      expect(await queue.rewrite(someTask({ attempts: 1 }), revision)).toBe("conflict");

      expect(await queue.find(defaultPool, someTaskId())).toBeUndefined();
      expect(await queue.add(someTask())).toBe("added");
    });

    test("removes harmlessly what is gone, was rewritten or never was", async () => {
      const { queue } = await (await start()).connect();
      await queue.add(someTask());
      const revision = (await queue.find(defaultPool, someTaskId()))?.revision ?? 0n;
      await queue.rewrite(someTask({ attempts: 1 }), revision);

      await queue.remove(revision);
      await queue.remove(revision);
      await queue.remove(revision + 1_000n);

      expect((await queue.find(defaultPool, someTaskId()))?.task.attempts).toBe(1);
    });

    test("removes everything older than a revision, and nothing else", async () => {
      const { queue } = await (await start()).connect();
      for (const index of [0, 1, 2]) await queue.add(someTask({ index }));
      const second = (await queue.find(defaultPool, someTaskId(1)))?.revision ?? 0n;

      await queue.removeBefore(second);
      await queue.removeBefore(second);

      const found = await Promise.all(
        [0, 1, 2].map((index) => queue.find(defaultPool, someTaskId(index))),
      );
      expect(found.map((stored) => stored !== undefined)).toEqual([false, true, true]);
      expect(await queue.add(someTask({ index: 0 }))).toBe("added");
    });

    test("refuses a task above the bound, and nothing else", async () => {
      const { queue } = await (await start({ queueTasksMax: 2 })).connect();
      await queue.add(someTask({ index: 0 }));
      await queue.add(someTask({ index: 1 }));

      expect(await codeOf(queue.add(someTask({ index: 2 })))).toBe("QUEUE_FULL");

      expect(await queue.add(someTask({ index: 1 }))).toBe("exists");
      const stored = await queue.find(defaultPool, someTaskId(0));
      const rewritten = await queue.rewrite(someTask({ attempts: 1 }), stored?.revision ?? 0n);
      expect(rewritten).not.toBe("conflict");
    });

    test("takes a task again once there is room", async () => {
      const { queue } = await (await start({ queueTasksMax: 1 })).connect();
      await queue.add(someTask({ index: 0 }));
      await codeOf(queue.add(someTask({ index: 1 })));

      await queue.remove((await queue.find(defaultPool, someTaskId(0)))?.revision ?? 0n);

      expect(await queue.add(someTask({ index: 1 }))).toBe("added");
    });

    test("refuses a task that does not fit a message", async () => {
      const { queue } = await (await start()).connect();

      const added = queue.add(someTask({ prompt: "x".repeat(1_048_576) }));

      expect(await codeOf(added)).toBe("TOO_LARGE");
    });
  });
}
