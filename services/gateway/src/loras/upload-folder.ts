/**
 * Where files lie while they are taken in: a bounded number of bounded files on the gateway's
 * disk, which are gone when their call ends, however it ends.
 */
import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { FarmError, limits } from "@zfarm/contract";

/** A file that was taken in whole. */
export interface ReceivedFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
}

export interface UploadBounds {
  readonly filesMax: number;
  readonly bytesMax: number;
}

const defaultBounds: UploadBounds = {
  filesMax: limits.loraUploadsMax,
  bytesMax: limits.loraBytesMax,
};

export class UploadFolder {
  readonly #folder: string;
  readonly #bounds: UploadBounds;
  #open = 0;

  constructor(folder: string, bounds: UploadBounds) {
    this.#folder = folder;
    this.#bounds = bounds;
  }

  /**
   * Makes the folder, its user's alone, and clears it of what a gateway that died has left.
   * STORE_UNAVAILABLE where others could change files between the gate and the store.
   */
  static async open(folder: string, bounds: UploadBounds = defaultBounds): Promise<UploadFolder> {
    await guard(async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await requireOwn(folder);
    });
    const opened = new UploadFolder(folder, bounds);
    await opened.#clear();
    return opened;
  }

  /** Files being taken in. */
  get openFiles(): number {
    return this.#open;
  }

  /**
   * Takes a file in, hands it to `use`, and removes it. UPLOADS_BUSY, TOO_LARGE, STORE_UNAVAILABLE
   * where the disk does not take it, and whatever ends the chunks.
   */
  async receive<T>(
    chunks: AsyncIterable<Uint8Array>,
    use: (file: ReceivedFile) => Promise<T>,
  ): Promise<T> {
    const { filesMax } = this.#bounds;
    if (this.#open >= filesMax) {
      throw new FarmError("UPLOADS_BUSY", `this gateway takes in ${filesMax} files at once`);
    }
    this.#open += 1;
    const path = join(this.#folder, `${randomBytes(12).toString("hex")}.part`);
    try {
      await this.#clear();
      return await use(await this.#write(path, chunks));
    } finally {
      await rm(path, { force: true });
      this.#open -= 1;
    }
  }

  /** Of what gateways that died have left: when one starts again, it is too young to tell. */
  async #clear(): Promise<void> {
    await guard(async () => {
      for (const name of await readdir(this.#folder)) await removeIfOld(join(this.#folder, name));
    });
  }

  async #write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedFile> {
    const { bytesMax } = this.#bounds;
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const file = await guard(() => open(path, "wx"));
    try {
      for await (const chunk of chunks) {
        sizeBytes += chunk.length;
        if (sizeBytes > bytesMax) throw tooLarge(bytesMax);
        hash.update(chunk);
        await guard(() => writeAll(file, chunk));
      }
    } finally {
      await file.close();
    }
    return { path, sizeBytes, digest: hash.digest("hex") };
  }
}

function tooLarge(bytesMax: number): FarmError {
  const description = `the file is larger than ${bytesMax} bytes`;
  const violations = [{ field: "chunk", reason: "TOO_LONG", description }];
  return new FarmError("TOO_LARGE", description, { violations });
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    written += (await file.write(chunk, written)).bytesWritten;
  }
}

/** Undefined uids are of systems that have none. */
async function requireOwn(folder: string): Promise<void> {
  const { uid, mode } = await stat(folder);
  const own = process.getuid?.();
  if (own === undefined || (uid === own && (mode & 0o022) === 0)) return;
  throw new FarmError("STORE_UNAVAILABLE", `others may write to the folder of uploads ${folder}`);
}

/** Older than any upload may take: its gateway died. */
async function removeIfOld(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && Date.now() - found.mtimeMs > limits.callMsMax * 2) {
    await rm(path, { recursive: true, force: true });
  }
}

async function guard<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof FarmError) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "?";
    const message = `the gateway's disk does not take uploads: ${code}`;
    throw new FarmError("STORE_UNAVAILABLE", message, { cause });
  }
}
