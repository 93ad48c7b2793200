/** What every BlobStore promises about files of this machine. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobStore } from "@zfarm/blobs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

interface Given {
  readonly store: BlobStore;
  readonly broken: BlobStore;
  /** A prefix of the test's own. */
  readonly at: string;
}

export function defineBlobFileContract(given: () => Given): void {
  describe("files", () => {
    let folder = "";
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "zfarm-blob-file-"));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const write = async (bytes: Uint8Array): Promise<string> => {
      const path = join(folder, randomBytes(6).toString("hex"));
      await writeFile(path, bytes);
      return path;
    };

    test.each([0, 1, 20_000_000])("stores the %i bytes of a file, and leaves it", async (size) => {
      const { store, at } = given();
      const bytes = randomBytes(size);
      const path = await write(bytes);

      await store.putFile(`${at}/a`, path, "application/octet-stream");
      await store.putFile(`${at}/b`, path, "application/octet-stream");

      for (const key of [`${at}/a`, `${at}/b`]) {
        expect(Buffer.compare((await store.get(key)) ?? Buffer.of(1), bytes)).toBe(0);
      }
    });

    test("stores equal files at one time under one key, whole", async () => {
      const { store, at } = given();
      const bytes = randomBytes(3_000_000);
      const path = await write(bytes);

      await Promise.all(
        [1, 2, 3].map(() => store.putFile(`${at}/a`, path, "application/octet-stream")),
      );

      expect(Buffer.compare((await store.get(`${at}/a`)) ?? Buffer.of(1), bytes)).toBe(0);
    });

    test("stores nothing of a file that is missing, or where the store cannot work", async () => {
      const { store, broken, at } = given();
      const path = await write(randomBytes(100));
      const calls = [
        store.putFile(`${at}/a`, `${path}-gone`, "application/octet-stream"),
        broken.putFile(`${at}/b`, path, "application/octet-stream"),
      ];

      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ status: "rejected" });
      }
      await expect(calls[1]).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(await store.stat(`${at}/a`)).toBeUndefined();
    });
  });
}
