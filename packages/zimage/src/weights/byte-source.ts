/** Bytes with a known length that are read in ranges: a file on disk, or memory. */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { ModelError } from "../errors.ts";

export interface ByteSource {
  /** Named in errors. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Fills `target` with the bytes from `position` on; MODEL_INVALID when there are fewer. */
  read(target: Uint8Array, position: number): Promise<void>;
}

/** Runs `use` over the file at `path` and closes it; MODEL_INVALID when there is none. */
export async function withFileSource<T>(
  path: string,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new ModelError("MODEL_INVALID", `${path} is missing`, { file: path, cause });
  });
  try {
    const { size } = await handle.stat();
    const read = (target: Uint8Array, position: number): Promise<void> =>
      readFully(handle, target, { path, position });
    return await use({ name: path, size, read });
  } finally {
    await handle.close();
  }
}

async function readFully(
  handle: FileHandle,
  target: Uint8Array,
  { path, position }: { readonly path: string; readonly position: number },
): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const left = target.length - done;
    const { bytesRead } = await handle
      .read(target, done, left, position + done)
      .catch((cause: unknown) => {
        throw new ModelError("MODEL_INVALID", `${path} cannot be read`, { file: path, cause });
      });
    if (bytesRead === 0) refuseEnd(path, position + done);
    done += bytesRead;
  }
}

/** A source over bytes that are already in memory. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (target, position) => {
      if (position + target.length > bytes.length) refuseEnd(name, bytes.length);
      target.set(bytes.subarray(position, position + target.length));
    },
  };
}

function refuseEnd(file: string, position: number): never {
  throw new ModelError("MODEL_INVALID", `${file} ends at byte ${position}`, { file });
}
