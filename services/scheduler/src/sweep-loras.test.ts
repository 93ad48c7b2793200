import { createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, createMemoryBroker } from "@zfarm/broker";
import {
  defaultProject,
  type LoraDigest,
  type LoraId,
  type LoraName,
  LoraRecord,
  limits,
  loraCopyKey,
  loraKey,
  type ProjectId,
} from "@zfarm/contract";
import { Registry, systemClock } from "@zfarm/runtime";
import { beforeEach, describe, expect, test } from "vitest";
import { createStoreMetrics } from "./store-metrics.ts";
import { sweepLoras } from "./sweep-loras.ts";

const digests = ["0a", "0b", "0c"].map((pair) => pair.repeat(32) as LoraDigest);
const [first, second] = digests as [LoraDigest, LoraDigest];
const ink: LoraName = { project: defaultProject, lora: "ink" as LoraId };
const oil: LoraName = { project: "other" as ProjectId, lora: "oil" as LoraId };
const now = new Date();

/** A record whose versions have these files; those with a time were deleted then. */
function recordOf(name: LoraName, files: readonly [LoraDigest, Date?][], deleteTime?: Date) {
  const versions = files.map(([sha256, deleted], at) => ({
    version: { version: String(at + 1), sha256, pool: "default", report: undefined },
    deleteTime: deleted,
  }));
  return LoraRecord.create({ ...name, versions, versionsMade: files.length, deleteTime });
}

describe("the sweep of adapters", () => {
  const blobs = createMemoryBlobStore();
  let broker: Broker;
  beforeEach(async () => {
    broker = createMemoryBroker();
    for (const digest of digests) await blobs.put(loraKey(digest), new Uint8Array([1]), "");
    for (const name of [ink, oil]) await blobs.put(loraCopyKey(name), new Uint8Array([1]), "");
  });

  const sweep = async (agedMs: number, isOwn = (_project: string) => true): Promise<void> => {
    const clock = { ...systemClock, now: () => now.getTime() + agedMs };
    const metrics = createStoreMetrics(new Registry());
    await sweepLoras({ broker, blobs, isOwn, clock, metrics });
  };
  const files = async (): Promise<string[]> =>
    await Array.fromAsync(blobs.list("loras/"), ({ key }) => key);
  const all = digests.map(loraKey);
  const later = limits.loraKeepMs + 1_000;

  test("removes the file of a version that was deleted, once no retry can need it", async () => {
    await broker.loras.put(recordOf(ink, [[first, now], [second]]), 0n);

    await sweep(later - 60_000);
    expect(await files()).toEqual(all);
    await sweep(later);

    expect(await files()).toEqual(all.slice(1));
    // The third one is named by no record, which proves nothing.
    expect((await broker.loras.find(ink))?.record.versions).toHaveLength(2);
  });

  test("leaves a file that another record names, of whatever project", async () => {
    await broker.loras.put(recordOf(ink, [[first, now]], now), 0n);
    await broker.loras.put(recordOf(oil, [[first]]), 0n);

    await sweep(later);

    expect(await files()).toEqual(all);
  });

  test("removes the record and the copy of an adapter of which nothing is left", async () => {
    await broker.loras.put(recordOf(ink, [[first, now]], now), 0n);
    await broker.loras.put(recordOf(oil, [[second]]), 0n);

    await sweep(later);

    expect(await broker.loras.find(ink)).toBeUndefined();
    expect(await blobs.stat(loraCopyKey(ink))).toBeUndefined();
    expect(await broker.loras.find(oil)).toBeDefined();
    expect(await blobs.stat(loraCopyKey(oil))).toBeDefined();
  });

  test("leaves what was revived meanwhile, and what other leaders answer for", async () => {
    const deleted = recordOf(ink, [[first, now]], now);
    const revision = (await broker.loras.put(deleted, 0n)) as bigint;
    const { loras } = broker;
    const revived = recordOf(ink, [[first, now], [second]]);
    const racing = {
      ...broker,
      loras: {
        find: (name: LoraName) => loras.find(name),
        remove: (at: bigint) => loras.remove(at),
        listAll: async () => {
          const seen = await loras.listAll();
          await loras.put(revived, revision);
          return seen;
        },
      },
    };
    const clock = { ...systemClock, now: () => now.getTime() + later };
    const metrics = createStoreMetrics(new Registry());

    await sweepLoras({ broker: racing, blobs, isOwn: () => true, clock, metrics });
    expect((await loras.find(ink))?.record).toEqual(revived);
    expect(await blobs.stat(loraCopyKey(ink))).toBeDefined();

    await broker.loras.put(recordOf(oil, [[second, now]], now), 0n);
    await sweep(later, (project) => project !== "other");
    expect(await broker.loras.find(oil)).toBeDefined();
  });

  test("removes nothing where the broker has lost every record", async () => {
    await sweep(later);

    expect(await files()).toEqual(all);
  });
});
