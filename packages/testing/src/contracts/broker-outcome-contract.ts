import type { StoredOutcome } from "@zfarm/broker";
import { OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { FollowReader, never, type OpenFarm, useFarm } from "./broker-farm.ts";
import { someJob, someOutcome, someTaskId } from "./broker-messages.ts";

export function defineOutcomeContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("outcome log", () => {
    test("keeps the first outcome of a task for good", async () => {
      const { outcomes } = await (await start()).connect();
      const first = someOutcome({ fence: 1n, kind: OutcomeKind.SUCCEEDED, worker: "w1" });

      expect(await outcomes.publish(first)).toBe("won");
      expect(await outcomes.publish(someOutcome({ fence: 2n }))).toBe("lost");

      expect((await outcomes.find(someTaskId()))?.outcome).toEqual(first);
      expect(await outcomes.find(someTaskId(1))).toBeUndefined();
    });

    test("lets exactly one of many concurrent outcomes win, and that one stands", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];

      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? one : two).outcomes.publish(someOutcome({ fence: BigInt(index + 1) })),
        ),
      );

      const winners = results.flatMap((result, index) => (result === "won" ? [index] : []));
      const standing = await one.outcomes.find(someTaskId());
      expect(winners).toHaveLength(1);
      expect(standing?.outcome.fence).toBe(BigInt((winners[0] ?? 0) + 1));
    });

    test("tells whoever publishes the standing outcome again that it won", async () => {
      const { outcomes } = await (await start()).connect();
      const outcome = someOutcome({ fence: 9n, kind: OutcomeKind.SUCCEEDED });
      await outcomes.publish(outcome);

      const sameBytes = await outcomes.publish(outcome);
      const later = { ...outcome, endTime: new Date("2026-01-02T00:00:00Z") };
      const sameAttempt = await outcomes.publish(later);
      const otherKind = await outcomes.publish({ ...outcome, kind: OutcomeKind.FAILED });

      expect([sameBytes, sameAttempt, otherKind]).toEqual(["won", "won", "lost"]);
    });

    test("lists the outcomes of one job, oldest first", async () => {
      const { outcomes } = await (await start()).connect();
      const [job, other] = [someJob("one"), someJob("two")];
      for (const index of [2, 0]) await outcomes.publish(someOutcome({ index, job: job.job }));
      await outcomes.publish(someOutcome({ index: 5, job: other.job }));
      await outcomes.publish(someOutcome({ index: 1, job: job.job }));

      expect(indexesOf(await outcomes.list(job))).toEqual([2, 0, 1]);
      expect(await outcomes.list(someJob("three"))).toEqual([]);
    });

    test("counts revisions over all jobs from the first outcome on", async () => {
      const { outcomes } = await (await start()).connect();
      const nothing = await outcomes.lastRevision();

      await outcomes.publish(someOutcome({ index: 0 }));
      expect(await outcomes.lastRevision()).toBe(nothing + 1n);
      await outcomes.publish(someOutcome({ index: 1, job: someJob("two").job }));

      const newest = await outcomes.find(someTaskId(1, someJob("two").job));
      expect(await outcomes.lastRevision()).toBe(newest?.revision);
    });

    test("follows one job from a revision on", async () => {
      const farm = await start();
      const [writer, reader] = [await farm.connect(), await farm.connect()];
      const job = someJob("one");
      for (const index of [0, 1, 2]) {
        await writer.outcomes.publish(someOutcome({ index, job: job.job }));
      }
      const after = (await writer.outcomes.find(someTaskId(0, job.job)))?.revision ?? 0n;
      const follow = new FollowReader(reader.outcomes.follow({ job, after, stop: never }));

      expect(indexesOf(await follow.untilCaughtUp())).toEqual([1, 2]);
      await writer.outcomes.publish(someOutcome({ index: 7, job: someJob("two").job }));
      await writer.outcomes.publish(someOutcome({ index: 3, job: job.job }));

      expect(indexesOf(await follow.take(1))).toEqual([3]);
    });

    test("lists the outcomes of a project, unless there are more than asked for", async () => {
      const { outcomes } = await (await start()).connect();
      await outcomes.publish(someOutcome({ index: 0 }));
      await outcomes.publish(someOutcome({ index: 1, job: someJob("two").job }));
      const other = someOutcome({ index: 2 });
      const spec = other.spec && { ...other.spec, project: "elsewhere" };
      await outcomes.publish({ ...other, spec });
      const { project } = someJob("two");

      expect(indexesOf((await outcomes.listProject(project, 2)) ?? [])).toEqual([0, 1]);
      expect(await outcomes.listProject(project, 1)).toBeUndefined();
    });

    test("is caught up at once behind the newest revision", async () => {
      const { outcomes } = await (await start()).connect();
      await outcomes.publish(someOutcome());
      const after = await outcomes.lastRevision();
      const follow = new FollowReader(outcomes.follow({ after, stop: never }));

      expect(await follow.untilCaughtUp()).toEqual([]);
      await outcomes.publish(someOutcome({ index: 1 }));

      expect(indexesOf(await follow.take(1))).toEqual([1]);
    });

    test("says at once and with each entry how many more are stored", async () => {
      const { outcomes } = await (await start()).connect();
      const job = someJob("one");
      for (const index of [0, 1, 2]) {
        await outcomes.publish(someOutcome({ index, job: job.job }));
        await outcomes.publish(someOutcome({ index, job: someJob("two").job }));
      }
      let seen = 0;
      const steps: number[] = [];

      for await (const followed of outcomes.follow({ job, after: 0n, stop: never })) {
        if (followed.kind === "caught-up") break;
        steps.push(followed.entries.length);
        seen += followed.entries.length;
        expect(seen + followed.unread).toBe(3);
      }

      expect(seen).toBe(3);
      expect(steps[0]).toBe(0);
    });

    test("is caught up where newer outcomes belong to other jobs only", async () => {
      const { outcomes } = await (await start()).connect();
      await outcomes.publish(someOutcome());
      const follow = outcomes.follow({ job: someJob("quiet"), after: 0n, stop: never });

      expect(await new FollowReader(follow).untilCaughtUp()).toEqual([]);
    });

    test("forgets outcomes after their retention", async () => {
      const { outcomes } = await (await start({ outcomeRetentionMs: 300 })).connect();
      const nothing = await outcomes.lastRevision();
      await outcomes.publish(someOutcome());

      await expect.poll(() => outcomes.find(someTaskId())).toBeUndefined();

      expect(await outcomes.lastRevision()).toBe(nothing + 1n);
    });
  });
}

function indexesOf(stored: readonly StoredOutcome[]): (number | undefined)[] {
  return stored.map(({ outcome }) => outcome.spec?.index);
}
