import { FarmError } from "@zfarm/contract";
import { Registry } from "@zfarm/runtime";
import { describe, expect, it } from "vitest";
import { measureBlobStore } from "./measured-blob-store.ts";
import { createMemoryBlobStore } from "./memory-blob-store.ts";

describe("a store that is measured", () => {
  it("answers as before and counts each request under its operation", async () => {
    const registry = new Registry();
    const store = measureBlobStore(createMemoryBlobStore(), registry);
    const bytes = new Uint8Array([1, 2, 3]);
    await store.put("a/b", bytes, "image/png");
    expect(await store.get("a/b")).toEqual(bytes);
    expect(await store.get("a/c")).toBeUndefined();

    const text = await registry.metrics();
    expect(text).toContain('zfarm_store_request_seconds_count{operation="put"} 1');
    expect(text).toContain('zfarm_store_request_seconds_count{operation="get"} 2');
    expect(text).toContain('zfarm_store_errors_total{operation="get"} 0');
  });

  it("counts failures and passes them on", async () => {
    const registry = new Registry();
    const failure = new FarmError("STORE_UNAVAILABLE", "away");
    const broken = Object.assign(createMemoryBlobStore(), { get: () => Promise.reject(failure) });
    const store = measureBlobStore(broken, registry);

    await expect(store.get("a/b")).rejects.toBe(failure);
    expect(await registry.metrics()).toContain('zfarm_store_errors_total{operation="get"} 1');
  });
});
