/** Fresh tasks of a job share a message of the queue. */
import { defaultPool, limits, type TaskSpec } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { codeOf, FollowReader, never, type OpenFarm, useFarm } from "./broker-farm.ts";
import { someTask, someTaskId } from "./broker-messages.ts";

const bundleTasksMax = 4;

export function defineBundleContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("bundles of the queue", () => {
    test("what is stored together is the same at every try", async () => {
      const { queue } = await (await start({ bundleTasksMax })).connect();

      const bundles = queue.bundlesOf(specs(0, 10));
      const again = queue.bundlesOf(specs(5, 10));

      expect(bundles.map(indexesOf)).toEqual([
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
      ]);
      expect(again.map(indexesOf)).toEqual([
        [5, 6, 7],
        [8, 9],
      ]);
    });

    test("each task is found, with all that was said of it", async () => {
      const { queue } = await (await start({ bundleTasksMax })).connect();
      const [first, second, last] = queue.bundlesOf(specs(0, 9));

      const revision = await queue.addBundle(first ?? []);
      await queue.addBundle(second ?? []);
      await queue.addBundle(last ?? []);

      for (const spec of specs(0, 9)) {
        const stored = await queue.find(defaultPool, someTaskId(spec.index));
        expect(stored?.task).toEqual({ spec, attempts: 0 });
        expect(stored?.isBundled).toBe(spec.index < 8);
      }
      expect((await queue.find(defaultPool, someTaskId(3)))?.revision).toBe(revision);
      expect(await queue.find(defaultPool, someTaskId(9))).toBeUndefined();
    });

    test("is stored once, however many try", async () => {
      const farm = await start({ bundleTasksMax });
      const brokers = [await farm.connect(), await farm.connect()];

      const adding = brokers.flatMap(({ queue }) => [
        queue.addBundle(specs(0, 4)),
        queue.addBundle(specs(0, 4)),
      ]);

      expect((await Promise.all(adding)).filter((added) => added === "exists")).toHaveLength(3);
    });

    test("a task of it gets a message of its own, which counts from then on", async () => {
      const { queue } = await (await start({ bundleTasksMax })).connect();
      const bundle = await queue.addBundle(specs(0, 4));

      const own = await queue.rewrite(someTask({ index: 2, attempts: 1 }), 0n);

      expect(await queue.find(defaultPool, someTaskId(2))).toEqual({
        task: someTask({ index: 2, attempts: 1 }),
        revision: own,
        isBundled: false,
      });
      expect((await queue.find(defaultPool, someTaskId(1)))?.revision).toBe(bundle);
      expect(await queue.rewrite(someTask({ index: 2, attempts: 2 }), 0n)).toBe("conflict");
    });

    test("is followed as its tasks, side by side, and goes as a whole", async () => {
      const { queue } = await (await start({ bundleTasksMax })).connect();
      await queue.add(someTask({ index: 9 }));
      const bundle = await queue.addBundle(specs(0, 4));
      const follow = new FollowReader(queue.follow(never));
      const backlog = await follow.untilCaughtUp();

      expect(backlog.map(({ task }) => task.spec?.index)).toEqual([9, 0, 1, 2, 3]);
      expect(backlog.slice(1).every(({ revision }) => revision === bundle)).toBe(true);

      await queue.remove(bundle === "exists" ? 0n : bundle);
      expect(await queue.find(defaultPool, someTaskId(1))).toBeUndefined();
      expect(await queue.addBundle(specs(0, 4))).not.toBe("exists");
    });

    test("counts as one message against the bound, and is refused whole", async () => {
      const { queue } = await (await start({ bundleTasksMax, queueTasksMax: 1 })).connect();
      await queue.addBundle(specs(0, 4));

      expect(await codeOf(queue.addBundle(specs(4, 8)))).toBe("QUEUE_FULL");

      expect(await queue.find(defaultPool, someTaskId(5))).toBeUndefined();
    });

    test("the largest pictures that may be asked for fit into one message", async () => {
      const { queue } = await (await start()).connect();
      // Four bytes each, the most that a code point takes.
      const prompt = "\u{1F600}".repeat(limits.promptCodePointsMax);
      const guidance = { scale: 4, negativePrompt: prompt, normalization: 1, truncation: 1 };
      const adapters = Array.from({ length: limits.imageLorasMax }, () => adapter);
      const largest = specs(0, limits.bundleTasksMax).map((spec) => ({
        ...spec,
        image: spec.image && { ...spec.image, prompt, guidance },
        stack: { adapters },
      }));

      expect(await queue.addBundle(largest)).not.toBe("exists");
    });
  });
}

const adapter = { digest: "f".repeat(64), weight: 1, rank: 512, sizeBytes: 2n ** 40n };

function specs(from: number, to: number): TaskSpec[] {
  return Array.from({ length: to - from }, (_, offset) => from + offset).flatMap((index) => {
    const { spec } = someTask({ index, prompt: `picture ${index}` });
    return spec === undefined ? [] : [spec];
  });
}

function indexesOf(bundle: readonly TaskSpec[]): number[] {
  return bundle.map(({ index }) => index);
}
