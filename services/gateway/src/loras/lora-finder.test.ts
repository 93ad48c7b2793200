import { createMemoryFarm } from "@zfarm/broker";
import { type LoraId, LoraRecord, LoraReport, limits, type ProjectId } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { LoraFinder } from "./lora-finder.ts";

const project = "studio" as ProjectId;
const digestOf = (number: number): string => number.toString(16).padStart(64, "0");

describe("a finder of adapters", () => {
  const { loras } = createMemoryFarm().connect();
  let clock: ReturnType<typeof createManualClock>;
  let finder: LoraFinder;
  let listings: ProjectId[];
  beforeEach(() => {
    clock = createManualClock();
    listings = [];
    const list = (of: ProjectId) => {
      listings.push(of);
      return loras.list(of);
    };
    finder = new LoraFinder({ find: (name) => loras.find(name), list }, clock);
  });

  async function register(lora: string, digest: string): Promise<void> {
    const report = LoraReport.create({ ranksTaken: 16 });
    const version = { version: "1", sha256: digest, pool: "default", report };
    const record = LoraRecord.create({ project, lora, versions: [{ version }] });
    const standing = await loras.find({ project, lora: lora as LoraId });
    expect(await loras.put(record, standing?.revision ?? 0n)).not.toBe("conflict");
  }

  test("reads a project's records once for a request, whatever digests it names", async () => {
    await register("ink", digestOf(1));
    const texts = Array.from({ length: 100 }, (_, at) => digestOf(at));

    const found = await finder.findAll(project, [...texts, ...texts, "ink", "oil", "no name"]);

    expect([...found.keys()].toSorted()).toEqual([digestOf(1), "ink"]);
    expect(found.get("ink")).toEqual(found.get(digestOf(1)));
    expect(listings).toEqual([project]);
  });

  test("knows for a moment what it has read, and at once what came since", async () => {
    await register("ink", digestOf(1));
    const find = (number: number) => finder.findAll(project, [digestOf(number)]);
    await find(1);
    await clock.advance(limits.loraKnownMs - 1);
    await find(1);
    expect(listings).toHaveLength(1);

    await register("oil", digestOf(2));
    expect((await find(2)).size).toBe(1);
    expect(listings).toHaveLength(2);

    await clock.advance(limits.loraKnownMs);
    await find(1);
    expect(listings).toHaveLength(3);
  });

  test("remembers so many projects at most, those asked for last", async () => {
    await register("ink", digestOf(1));
    await finder.findAll(project, [digestOf(1)]);
    const ask = (count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, at) =>
          finder.findAll(`other-${at}` as ProjectId, [digestOf(1)]),
        ),
      );

    await ask(limits.loraProjectsKnownMax - 1);
    listings = [];
    await finder.findAll(project, [digestOf(1)]);
    expect(listings).toEqual([]);

    await ask(limits.loraProjectsKnownMax);
    listings = [];
    await finder.findAll(project, [digestOf(1)]);
    expect(listings).toEqual([project]);
  });
});
