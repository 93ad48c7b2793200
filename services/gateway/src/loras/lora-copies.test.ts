import { type BlobStore, createMemoryBlobStore } from "@zfarm/blobs";
import { createMemoryFarm } from "@zfarm/broker";
import { FarmError, LoraRecord, loraCopyKey } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { newVersion } from "../../test/builders.ts";
import { LoraCopies } from "./lora-copies.ts";
import { LoraRegistry } from "./lora-registry.ts";

const { name } = newVersion("any");

/** Registries of several gateways on one broker and one store. */
function open(store: Pick<BlobStore, "put">, gateways = 1) {
  const farm = createMemoryFarm();
  const registries = Array.from({ length: gateways }, () => {
    const records = farm.connect().loras;
    const copies = new LoraCopies(store, records);
    return new LoraRegistry({ records, copies, clock: systemClock });
  });
  return { registries, records: farm.connect().loras };
}

describe("the copy of an adapter's record", () => {
  test("is that of the newest record, whoever wrote it and in whatever order", async () => {
    const blobs = createMemoryBlobStore();
    // Writes arrive in another order than they were sent in.
    const slow: Pick<BlobStore, "put"> = {
      put: async (key, bytes, contentType) => {
        await systemClock.sleep(Math.random() * 5, new AbortController().signal);
        await blobs.put(key, bytes, contentType);
      },
    };
    const { registries, records } = open(slow, 4);

    await Promise.all(registries.map((registry, at) => registry.add(newVersion(`digest-${at}`))));

    const copy = LoraRecord.decode((await blobs.get(loraCopyKey(name))) ?? new Uint8Array());
    expect(copy).toEqual((await records.find(name))?.record);
    expect(copy.versions).toHaveLength(4);
  });

  test("that cannot be written fails the call, and the same call again writes it", async () => {
    const blobs = createMemoryBlobStore();
    let isAway = true;
    const store: Pick<BlobStore, "put"> = {
      put: async (...call) => {
        if (isAway) throw new FarmError("STORE_UNAVAILABLE", "away");
        await blobs.put(...call);
      },
    };
    const { registries } = open(store);
    const [registry] = registries;
    await expect(registry?.add(newVersion("d"))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });

    isAway = false;
    const added = await registry?.add(newVersion("d"));

    expect(added?.version.version).toBe("1");
    expect(await blobs.get(loraCopyKey(name))).toBeDefined();
  });
});
