import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobStore, createMemoryBlobStore } from "@zfarm/blobs";
import { limits } from "@zfarm/contract";
import { codeOf } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FetchModelCall, fetchModel } from "./fetch-model.ts";

describe("a model in the object store", () => {
  const weights = randomBytes(limits.modelPieceBytes * 2 + 17);
  let directory: string;
  let blobs: BlobStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "zfarm-fetch-"));
    blobs = createMemoryBlobStore();
    await blobs.put("turbo/model_index.json", Buffer.from("{}"), "application/json");
    await blobs.put("turbo/vae/weights.safetensors", weights, "application/octet-stream");
    await blobs.put("turbo-2/other", Buffer.from("x"), "text/plain");
  });
  afterEach(() => rm(directory, { recursive: true }));

  const fetch = (change: Partial<FetchModelCall> = {}) =>
    fetchModel({
      blobs,
      prefix: "turbo",
      directory,
      stop: new AbortController().signal,
      onProgress: () => {},
      ...change,
    });

  it("comes whole, larger than one piece, and without its neighbours", async () => {
    const shares: number[] = [];
    const onProgress: FetchModelCall["onProgress"] = ({ doneBytes, totalBytes }) =>
      shares.push(doneBytes / totalBytes);
    const { fetchedBytes } = await fetch({ onProgress });

    expect(fetchedBytes).toBe(weights.length + 2);
    expect(shares.at(-1)).toBe(1);
    expect((await readdir(directory, { recursive: true })).toSorted()).toEqual([
      "model_index.json",
      "vae",
      "vae/weights.safetensors",
    ]);
    expect(weights.equals(await readFile(join(directory, "vae/weights.safetensors")))).toBe(true);
  });

  it("is gone on with after a stop: what is whole is not fetched again", async () => {
    await fetch();
    await truncate(join(directory, "model_index.json"), 1);
    expect(await fetch()).toEqual({ totalBytes: weights.length + 2, fetchedBytes: 2 });
  });

  it("leaves no file that looks whole where the store fails in the middle", async () => {
    let asked = 0;
    const getRange: BlobStore["getRange"] = async (key, range) => {
      asked += 1;
      const isThird = asked === 3;
      const bytes = await blobs.getRange(key, range);
      return isThird ? bytes?.subarray(1) : bytes;
    };
    const failing = { list: blobs.list.bind(blobs), getRange };
    expect(await codeOf(fetch({ blobs: failing }))).toBe("STORE_UNAVAILABLE");
    const files = await readdir(join(directory, "vae"));
    expect(files).toEqual(["weights.safetensors.part"]);
  });

  it("is said to be missing where nothing has its prefix", async () => {
    expect(await codeOf(fetch({ prefix: "base" }))).toBe("INVALID_REQUEST");
  });
});
