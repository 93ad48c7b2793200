/**
 * Blobs as plain files under one folder, at the path that their key is: for one machine, and for
 * people who want to look at their pictures. The modes of the file system guard them; URLs are
 * file URLs and do not expire.
 */
import { randomBytes } from "node:crypto";
import {
  access,
  constants,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { FarmError } from "@zfarm/contract";
import { assertBlobKey, assertBlobPrefix } from "./blob-key.ts";
import type { BlobInfo, BlobRange, BlobStore } from "./blob-store.ts";
import { assertUrlSeconds } from "./url-seconds.ts";
import { walkDirectory } from "./walk-directory.ts";

/** Half-written blobs live here; no key can name it, because `~` is not a character of keys. */
const draftFolder = "~drafts";
/** A draft this old belongs to a process that died while it wrote. */
const draftMsMax = 3_600_000;

/** Creates the folder where it is missing. Throws STORE_UNAVAILABLE where it cannot be used. */
export async function openDirectoryBlobStore(root: string): Promise<BlobStore> {
  const store = new DirectoryBlobStore(resolve(root));
  await store.prepare();
  return store;
}

class DirectoryBlobStore implements BlobStore {
  readonly kind = "directory";
  readonly #root: string;
  /** No character of a key needs an escape, so the URL of a blob is this and its key. */
  readonly #rootUrl: string;

  constructor(root: string) {
    this.#root = root;
    this.#rootUrl = pathToFileURL(root).href;
  }

  async prepare(): Promise<void> {
    await this.#guard("open", async () => {
      const drafts = join(this.#root, draftFolder);
      await mkdir(drafts, { recursive: true });
      for (const name of await readdir(drafts)) await removeIfOld(join(drafts, name));
    });
  }

  /** Written aside, flushed, then renamed: a reader, or a crash, never meets half a blob. */
  async put(key: string, bytes: Uint8Array, _contentType: string): Promise<void> {
    const path = this.#path(key);
    await this.#guard(`put ${key}`, () =>
      this.#withDraft(
        (draft) => writeFlushed(draft, bytes),
        (draft) => moveTo(path, draft),
      ),
    );
  }

  async putFile(key: string, from: string, _contentType: string): Promise<void> {
    const path = this.#path(key);
    await this.#guard(`put ${key}`, () =>
      this.#withDraft(
        (draft) => copyFlushed(draft, from),
        (draft) => moveTo(path, draft),
      ),
    );
  }

  /** As put, but linked instead of renamed: a link never takes the place of what stands. */
  async create(
    key: string,
    bytes: Uint8Array,
    _contentType: string,
  ): Promise<"created" | "exists"> {
    const path = this.#path(key);
    return await this.#guard(`create ${key}`, () =>
      this.#withDraft(
        (draft) => writeFlushed(draft, bytes),
        (draft) => linkTo(path, draft),
      ),
    );
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const path = this.#path(key);
    return await this.#guardMissing(`get ${key}`, () => readFile(path));
  }

  async getRange(key: string, range: BlobRange): Promise<Uint8Array | undefined> {
    const path = this.#path(key);
    return await this.#guardMissing(`get ${key}`, () => readRange(path, range));
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    const path = this.#path(key);
    return await this.#guardMissing(`stat ${key}`, () => describe(key, path));
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#guardMissing(`remove ${key}`, () => unlink(path));
  }

  async *list(prefix: string, after = ""): AsyncIterable<BlobInfo> {
    assertBlobPrefix(prefix);
    await this.#guard("list", () => this.#assertRoot());
    for await (const key of walkDirectory(this.#root, { prefix, after })) {
      const path = this.#path(key);
      // A blob may go between the walk and the look at it.
      const info = await this.#guardMissing(`stat ${key}`, () => describe(key, path));
      if (info !== undefined) yield info;
    }
  }

  async url(key: string, ttlSeconds: number): Promise<string> {
    assertUrlSeconds(ttlSeconds);
    assertBlobKey(key);
    return `${this.#rootUrl}/${key}`;
  }

  async problem(): Promise<string | undefined> {
    try {
      await access(join(this.#root, draftFolder), constants.R_OK | constants.W_OK);
      return undefined;
    } catch (error) {
      return `the folder of the object store cannot be written: ${codeOf(error)}`;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #path(key: string): string {
    assertBlobKey(key);
    return join(this.#root, key);
  }

  /** Hands a flushed draft to `use`; whatever of the draft is left after it goes. */
  async #withDraft<T>(
    write: (draft: string) => Promise<void>,
    use: (draft: string) => Promise<T>,
  ): Promise<T> {
    const draft = join(this.#root, draftFolder, randomBytes(12).toString("hex"));
    try {
      await write(draft);
      return await use(draft);
    } finally {
      await rm(draft, { force: true });
    }
  }

  async #guard<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      throw new FarmError("STORE_UNAVAILABLE", `object store: ${what}: ${codeOf(cause)}`, {
        cause,
      });
    }
  }

  /** Undefined where the blob is missing, but not where the whole folder is. */
  async #guardMissing<T>(what: string, run: () => Promise<T>): Promise<T | undefined> {
    return await this.#guard(what, async () => {
      try {
        return await run();
      } catch (error) {
        if (!["ENOENT", "ENOTDIR", "EISDIR"].includes(codeOf(error))) throw error;
        await this.#assertRoot();
        return undefined;
      }
    });
  }

  /** A disk that is not mounted looks like an empty store; the folder of drafts tells. */
  async #assertRoot(): Promise<void> {
    await access(join(this.#root, draftFolder));
  }
}

async function readRange(path: string, { offset, length }: BlobRange): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.allocUnsafe(length);
    let read = 0;
    while (read < length) {
      const { bytesRead } = await file.read(buffer, read, length - read, offset + read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    return buffer.subarray(0, read);
  } finally {
    await file.close();
  }
}

async function describe(key: string, path: string): Promise<BlobInfo | undefined> {
  const found = await stat(path);
  if (!found.isFile()) return undefined;
  return { key, sizeBytes: found.size, modifiedMs: Math.round(found.mtimeMs) };
}

/** Flushed to the disk before the rename: an outcome may point at it a moment later. */
async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function copyFlushed(path: string, from: string): Promise<void> {
  await copyFile(from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function moveTo(path: string, draft: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rename(draft, path);
}

async function linkTo(path: string, draft: string): Promise<"created" | "exists"> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await link(draft, path);
    return "created";
  } catch (error) {
    if (codeOf(error) === "EEXIST") return "exists";
    throw error;
  }
}

async function removeIfOld(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && Date.now() - found.mtimeMs > draftMsMax)
    await rm(path, { force: true });
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
