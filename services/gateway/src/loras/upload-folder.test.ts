import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inPieces, sha256 } from "../../test/lora-file.ts";
import { UploadFolder } from "./upload-folder.ts";

const bytes = Buffer.from("an adapter, for all that this folder knows");

describe("the folder of uploads", () => {
  let root = "";
  let folder = "";
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "zfarm-upload-folder-"));
    folder = join(root, "uploads");
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  test("holds a file while it is used, with its size and digest, and not longer", async () => {
    const uploads = await UploadFolder.open(folder);

    const told = await uploads.receive(inPieces(bytes, 7), async (file) => {
      expect(await readdir(folder)).toHaveLength(1);
      expect((await stat(file.path)).size).toBe(bytes.length);
      return { sizeBytes: file.sizeBytes, digest: file.digest };
    });

    expect(told).toEqual({ sizeBytes: bytes.length, digest: sha256(bytes) });
    expect(await readdir(folder)).toEqual([]);
    expect(uploads.openFiles).toBe(0);
  });

  test("refuses a file beyond its bound before all of it came, and forgets it", async () => {
    const uploads = await UploadFolder.open(folder, { filesMax: 1, bytesMax: 10 });
    let pieces = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        pieces += 1;
        yield Buffer.alloc(4);
      }
    }

    const receiving = uploads.receive(endless(), async () => "used");

    await expect(receiving).rejects.toMatchObject({
      code: "TOO_LARGE",
      violations: [{ field: "chunk", description: "the file is larger than 10 bytes" }],
    });
    expect(pieces).toBe(3);
    expect(await readdir(folder)).toEqual([]);
    expect(await uploads.receive(inPieces(Buffer.alloc(10)), async () => "used")).toBe("used");
  });

  test("has the bounds of the farm where nobody says otherwise", async () => {
    const uploads = await UploadFolder.open(folder);
    async function* tooMuch(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(limits.loraBytesMax + 1);
    }
    const over = Promise.withResolvers<void>();

    const taken = Array.from({ length: limits.loraUploadsMax }, () =>
      uploads.receive(inPieces(bytes), () => over.promise),
    );
    const refused = uploads.receive(inPieces(bytes), async () => {});
    await expect(refused).rejects.toMatchObject({ code: "UPLOADS_BUSY" });
    over.resolve();
    await Promise.all(taken);

    const receiving = uploads.receive(tooMuch(), async () => {});
    await expect(receiving).rejects.toMatchObject({ code: "TOO_LARGE" });
  });

  test("forgets a file whose use failed", async () => {
    const uploads = await UploadFolder.open(folder, { filesMax: 1, bytesMax: 1_000 });

    const using = uploads.receive(inPieces(bytes), async () => {
      throw new RangeError("refused");
    });

    await expect(using).rejects.toThrow("refused");
    expect(await readdir(folder)).toEqual([]);
    expect(await uploads.receive(inPieces(bytes), async () => "used")).toBe("used");
  });

  test("is cleared of what a gateway that died has left, and of nothing young", async () => {
    await mkdir(folder, { mode: 0o700 });
    const [old, young] = [join(folder, "old.part"), join(folder, "young.part")];
    await writeFile(old, bytes);
    await writeFile(young, bytes);
    await utimes(old, new Date(0), new Date(0));

    await UploadFolder.open(folder);

    expect(await readdir(folder)).toEqual(["young.part"]);
  });

  test("is cleared again when a file comes, of what was too young at the start", async () => {
    const uploads = await UploadFolder.open(folder);
    const left = join(folder, "left.part");
    await writeFile(left, bytes);
    await utimes(left, new Date(0), new Date(0));

    await uploads.receive(inPieces(bytes), async () => "used");

    expect(await readdir(folder)).toEqual([]);
  });

  test("is not used where others could write to it, or where it cannot be made", async () => {
    await mkdir(folder);
    await chmod(folder, 0o777);
    await writeFile(join(root, "file"), bytes);

    for (const path of [folder, join(root, "file", "below")]) {
      const opening = UploadFolder.open(path);
      await expect(opening).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    }
  });
});
