import { createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, createMemoryFarm } from "@zfarm/broker";
import {
  defaultProject,
  type LoraId,
  type LoraName,
  LoraRecord,
  loraCopyKey,
  type ProjectId,
} from "@zfarm/contract";
import { Registry, silentLog, systemClock } from "@zfarm/runtime";
import { beforeEach, describe, expect, test } from "vitest";
import { restoreLoras } from "./restore-loras.ts";
import { createStoreMetrics, type StoreMetrics } from "./store-metrics.ts";

const ink: LoraName = { project: defaultProject, lora: "ink" as LoraId };
const never = new AbortController().signal;
const recordOf = (name: LoraName, fields: Partial<LoraRecord> = {}): LoraRecord => ({
  ...LoraRecord.create({ ...name, displayName: "Ink", labels: new Map([["a", "b"]]) }),
  createTime: new Date(1_000),
  ...fields,
});

describe("records of adapters that the broker lost", () => {
  const blobs = createMemoryBlobStore();
  let broker: Broker;
  let registry: Registry;
  let metrics: StoreMetrics;
  beforeEach(async () => {
    broker = createMemoryFarm().connect();
    registry = new Registry();
    metrics = createStoreMetrics(registry);
    for await (const { key } of blobs.list("")) await blobs.remove(key);
  });

  const keep = async (name: LoraName, record: LoraRecord): Promise<void> =>
    await blobs.put(loraCopyKey(name), LoraRecord.encode(record).finish(), "");
  const restore = async (isOwn: (project: string) => boolean = () => true): Promise<void> => {
    const leader = { live: () => new Set<number>(), clock: systemClock, log: silentLog };
    await restoreLoras({ broker, blobs, isOwn, metrics, ...leader }, never);
  };

  test("come back as they were, deleted ones as deleted", async () => {
    const gone = { ...ink, lora: "gone" as LoraId };
    await keep(ink, recordOf(ink));
    await keep(gone, recordOf(gone, { deleteTime: new Date(2_000) }));

    await restore();
    await restore();

    expect((await broker.loras.find(ink))?.record).toEqual(recordOf(ink));
    expect((await broker.loras.find(gone))?.record.deleteTime).toEqual(new Date(2_000));
    expect(await registry.metrics()).toContain('zfarm_reconciled_total{what="lora"} 2');
  });

  test("take the place of none that stands", async () => {
    await keep(ink, recordOf(ink));
    await broker.loras.put(recordOf(ink, { displayName: "newer" }), 0n);

    await restore();

    expect((await broker.loras.find(ink))?.record.displayName).toBe("newer");
  });

  test("of projects of other leaders are left to them", async () => {
    await keep(ink, recordOf(ink));

    await restore((project) => project !== defaultProject);

    expect(await broker.loras.find(ink)).toBeUndefined();
  });

  test("whose copies cannot be used are counted, and the others come back", async () => {
    const other = { project: "other" as ProjectId, lora: "oil" as LoraId };
    await blobs.put("_loras/default/UPPER.bin", new Uint8Array(), "");
    await blobs.put(loraCopyKey(ink), new Uint8Array([0xff]), "");
    await keep({ ...ink, lora: "swapped" as LoraId }, recordOf(ink));
    await keep(other, recordOf(other));

    await restore();

    expect((await broker.loras.listAll()).map(({ record }) => record)).toEqual([recordOf(other)]);
    expect(await registry.metrics()).toContain('zfarm_reconciled_total{what="unusable"} 3');
  });
});
