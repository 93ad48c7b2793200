import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineBlobStoreContract } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDirectoryBlobStore } from "./directory-blob-store.ts";

const newFolder = () => mkdtemp(join(tmpdir(), "zfarm-blobs-"));

defineBlobStoreContract("directory", async () => {
  const folder = await newFolder();
  const broken = await openDirectoryBlobStore(join(folder, "broken"));
  await rm(join(folder, "broken"), { recursive: true });
  return {
    store: await openDirectoryBlobStore(join(folder, "not", "yet", "there")),
    broken,
    manyBlobs: 1_100,
    stop: () => rm(folder, { recursive: true }),
  };
});

describe("a directory of blobs", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await newFolder();
  });
  afterEach(() => rm(folder, { recursive: true }));
  const keysIn = async (prefix = "") => {
    const keys: string[] = [];
    const store = await openDirectoryBlobStore(folder);
    for await (const info of store.list(prefix)) keys.push(info.key);
    return keys;
  };

  test("holds each blob as a plain file at the path of its key", async () => {
    const store = await openDirectoryBlobStore(folder);

    await store.put("job/0/1.png", new Uint8Array([1, 2]), "image/png");

    expect([...(await readFile(join(folder, "job", "0", "1.png")))]).toEqual([1, 2]);
  });

  test("leaves no draft behind, neither after a put nor after one that failed", async () => {
    const store = await openDirectoryBlobStore(folder);
    await store.put("a", new Uint8Array([1]), "image/png");

    const underBlob = store.put("a/b", new Uint8Array([2]), "image/png");

    await expect(underBlob).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await readdir(join(folder, "~drafts"))).toEqual([]);
  });

  test("lists no drafts, no foreign names and no links", async () => {
    const store = await openDirectoryBlobStore(folder);
    await store.put("a/b", new Uint8Array([1]), "image/png");
    await writeFile(join(folder, "~drafts", "half"), "half");
    await writeFile(join(folder, "a", "with space"), "x");
    await mkdir(join(folder, "empty"));
    await symlink("/", join(folder, "a", "link"));

    expect(await keysIn()).toEqual(["a/b"]);
  });

  test("lists nothing behind a link or a file, whatever the prefix", async () => {
    const store = await openDirectoryBlobStore(folder);
    await store.put("a/b/c", new Uint8Array([1]), "image/png");
    await symlink(join(folder, "a"), join(folder, "link"));

    for (const prefix of ["link/", "link/b/", "a/b/c/", "a/b/c/d", "none/", "a/none/x"]) {
      expect(await keysIn(prefix)).toEqual([]);
    }
    expect(await keysIn("a/b/")).toEqual(["a/b/c"]);
  });

  test("clears drafts of writers that died long ago, and none of those at work", async () => {
    await openDirectoryBlobStore(folder);
    const [old, fresh] = ["old", "fresh"].map((name) => join(folder, "~drafts", name));
    await writeFile(String(old), "x");
    await writeFile(String(fresh), "x");
    await utimes(String(old), 0, 0);

    await openDirectoryBlobStore(folder);

    expect(await readdir(join(folder, "~drafts"))).toEqual(["fresh"]);
  });

  test("is seen at once by another process's store on the same folder", async () => {
    const [one, other] = [
      await openDirectoryBlobStore(folder),
      await openDirectoryBlobStore(folder),
    ];

    await one.put("a", new Uint8Array([1]), "image/png");

    expect(await other.get("a")).toHaveLength(1);
  });

  test("cannot be opened where a file stands", async () => {
    await writeFile(join(folder, "file"), "x");

    const opening = openDirectoryBlobStore(join(folder, "file"));

    await expect(opening).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("a folder that is gone is no empty store", async () => {
    const store = await openDirectoryBlobStore(join(folder, "mount"));
    await rm(join(folder, "mount"), { recursive: true });
    await mkdir(join(folder, "mount"));

    await expect(store.get("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await store.problem()).toContain("ENOENT");
  });
});
