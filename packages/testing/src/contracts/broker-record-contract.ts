import { defaultPool, type PoolId } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { type OpenFarm, useFarm } from "./broker-farm.ts";
import { someJob, someJobRecord, somePool } from "./broker-messages.ts";

export function defineRecordContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("records", () => {
    test("creates a job once and gives the standing record to everyone else", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];
      const first = await one.jobs.create(someJobRecord({ requestDigest: "d1" }));

      const second = await two.jobs.create(someJobRecord({ requestDigest: "d2" }));

      expect(first).toMatchObject({ created: true });
      expect(second).toEqual({ created: false, stored: first.stored });
      expect(await two.jobs.find(someJob())).toEqual(first.stored);
    });

    test("lets one of many concurrent creates through", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];

      const results = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? one : two).jobs.create(someJobRecord({ requestDigest: `d${index}` })),
        ),
      );

      expect(results.filter((result) => result.created)).toHaveLength(1);
      expect(new Set(results.map((result) => result.stored.record.requestDigest)).size).toBe(1);
    });

    test("updates a job only from the revision it is at", async () => {
      const { jobs } = await (await start()).connect();
      const { stored } = await jobs.create(someJobRecord());

      const revision = await jobs.update(someJobRecord({ admitted: true }), stored.revision);

      expect(await jobs.update(someJobRecord(), stored.revision)).toBe("conflict");
      expect(await jobs.find(someJob())).toEqual({
        record: someJobRecord({ admitted: true }),
        revision,
      });
    });

    test("knows no job that was never created", async () => {
      const { jobs } = await (await start()).connect();

      expect(await jobs.find(someJob("unknown"))).toBeUndefined();
      expect(await jobs.update(someJobRecord(), 5n)).toBe("conflict");
    });

    test("knows whether the farm was restored", async () => {
      const { farm } = await (await start()).connect();
      expect(await farm.isRestored()).toBe(false);

      await farm.markRestored(new Date(1_000));

      expect(await farm.isRestored()).toBe(true);
    });

    test("keeps the newest record of each pool", async () => {
      const { pools } = await (await start()).connect();
      await pools.put(somePool({ modelDigest: "m1" }));
      await pools.put(somePool({ pool: "other", modelDigest: "m9" }));
      await pools.put(somePool({ modelDigest: "m2" }));

      expect(await pools.find(defaultPool)).toEqual(somePool({ modelDigest: "m2" }));
      expect((await pools.find("other" as PoolId))?.modelDigest).toBe("m9");
      expect(await pools.find("missing" as PoolId)).toBeUndefined();
      expect((await pools.list()).map(({ pool }) => pool)).toEqual([defaultPool, "other"]);
    });
  });
}
