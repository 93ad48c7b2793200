import { createManualClock, defineBlobStoreContract } from "@zfarm/testing";
import { expect, test } from "vitest";
import { createMemoryBlobStore } from "./memory-blob-store.ts";

defineBlobStoreContract("memory", async () => {
  const broken = createMemoryBlobStore();
  await broken.close();
  return {
    store: createMemoryBlobStore(),
    broken,
    manyBlobs: 1_100,
    stop: () => Promise.resolve(),
  };
});

test("stamps blobs with the clock it was given", async () => {
  const store = createMemoryBlobStore(createManualClock(5_000));

  await store.put("a", new Uint8Array(), "image/png");

  expect(await store.stat("a")).toEqual({ key: "a", sizeBytes: 0, modifiedMs: 5_000 });
});

test("has no URL for what is not there", async () => {
  const store = createMemoryBlobStore();

  await expect(store.url("a", 60)).rejects.toMatchObject({ code: "OBJECT_MISSING" });
});
