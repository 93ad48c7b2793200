/**
 * Brings a model from the object store to a directory, piece by piece, many at once. Each file
 * has its name only once it is whole, so that a run that was stopped is gone on with.
 */
import { type FileHandle, mkdir, open, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BlobInfo, type BlobStore, isBlobKey } from "@zfarm/blobs";
import { FarmError, limits } from "@zfarm/contract";
import { forEachBounded } from "@zfarm/runtime";

export interface FetchModelCall {
  readonly blobs: Pick<BlobStore, "list" | "getRange">;
  /** Folder in the store, without a slash at its end. */
  readonly prefix: string;
  readonly directory: string;
  readonly stop: AbortSignal;
  readonly onProgress: (bytes: { doneBytes: number; totalBytes: number }) => void;
}

/**
 * Bytes there are, and bytes that came now. INVALID_REQUEST where nothing stands under the prefix,
 * STORE_UNAVAILABLE where the store does not answer or a file changed meanwhile.
 */
export async function fetchModel(
  call: FetchModelCall,
): Promise<{ readonly totalBytes: number; readonly fetchedBytes: number }> {
  const files = await Array.fromAsync(call.blobs.list(`${call.prefix}/`));
  if (files.length === 0) {
    throw new FarmError(
      "INVALID_REQUEST",
      `nothing in the object store begins with ${call.prefix}/`,
    );
  }
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const bytes = { doneBytes: 0, totalBytes };
  let fetchedBytes = 0;
  const advance = (count: number): void => {
    bytes.doneBytes += count;
    call.onProgress(bytes);
  };
  for (const file of files) {
    const path = join(call.directory, file.key.slice(call.prefix.length + 1));
    if (await isWhole(path, file)) {
      advance(file.sizeBytes);
      continue;
    }
    await fetchFile(call, { file, path, advance });
    fetchedBytes += file.sizeBytes;
  }
  return { totalBytes, fetchedBytes };
}

async function isWhole(path: string, { sizeBytes }: BlobInfo): Promise<boolean> {
  try {
    return (await stat(path)).size === sizeBytes;
  } catch {
    return false;
  }
}

interface FileCall {
  readonly file: BlobInfo;
  readonly path: string;
  readonly advance: (bytes: number) => void;
}

async function fetchFile(call: FetchModelCall, { file, path, advance }: FileCall): Promise<void> {
  if (!isBlobKey(file.key)) {
    throw new FarmError("INVALID_REQUEST", `no name for a file of a model: ${file.key}`);
  }
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.part`;
  const handle = await open(draft, "w");
  try {
    await forEachBounded(piecesOf(file), limits.modelFetchesMax, async (piece) => {
      call.stop.throwIfAborted();
      await fetchPiece(call, { file, piece, handle });
      advance(piece.length);
    });
  } finally {
    await handle.close();
  }
  await rename(draft, path);
}

interface Piece {
  readonly offset: number;
  readonly length: number;
}

function piecesOf({ sizeBytes }: BlobInfo): Piece[] {
  const { modelPieceBytes } = limits;
  return Array.from({ length: Math.ceil(sizeBytes / modelPieceBytes) }, (_, index) => {
    const offset = index * modelPieceBytes;
    return { offset, length: Math.min(modelPieceBytes, sizeBytes - offset) };
  });
}

async function fetchPiece(
  { blobs }: FetchModelCall,
  call: { readonly file: BlobInfo; readonly piece: Piece; readonly handle: FileHandle },
): Promise<void> {
  const { file, piece, handle } = call;
  const bytes = await blobs.getRange(file.key, piece);
  if (bytes?.byteLength !== piece.length) {
    throw new FarmError("STORE_UNAVAILABLE", `${file.key} changed while it was fetched`);
  }
  await handle.write(bytes, 0, bytes.byteLength, piece.offset);
}
