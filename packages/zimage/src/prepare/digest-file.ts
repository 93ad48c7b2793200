/** SHA-256 of files of any size, in bounded memory. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

const chunkBytes = 8 * 1024 * 1024;

export interface DigestFileOptions {
  readonly signal?: AbortSignal;
  /** After every chunk, with its bytes. */
  readonly onBytes?: (count: number) => void;
}

/** In hex. */
export async function digestFile(path: string, options: DigestFileOptions = {}): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const handle = await open(path, "r");
  try {
    for (let position = 0; ; ) {
      options.signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
      options.onBytes?.(bytesRead);
    }
  } finally {
    await handle.close();
  }
}
