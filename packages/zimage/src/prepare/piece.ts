/**
 * One piece of work of a preparation: some rows of one tensor, read, converted and written. Runs in
 * a thread of its own, so its calls may block.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { ModelError } from "../errors.ts";
import type { BlockLayout } from "../weights/prepared-format.ts";
import { findNotFinite, narrowToBf16, quantizeRows, widenElements } from "../weights/quantize.ts";
import type { TensorDtype } from "../weights/tensor-index.ts";

/** Bytes in a file. */
export interface Range {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** Plain data: it crosses to another thread. */
export interface Piece {
  /** Position among all pieces of the preparation. */
  readonly index: number;
  /** For errors. */
  readonly tensor: string;
  readonly source: Range & { readonly dtype: TensorDtype };
  /** `scan` writes nothing: it only looks for values that are not finite. */
  readonly action: "copy" | "narrow" | "quantize" | "scan";
  /** For `quantize`: the whole tensor's layout. */
  readonly layout?: BlockLayout;
  /** The converted rows; with `quantize` the levels, then the scales. */
  readonly targets: readonly Range[];
  /** What an earlier run wrote here, if its bytes are still there. */
  readonly written?: string;
}

/** Opens each file once for one thread. */
export class OpenFiles {
  readonly #descriptors = new Map<string, number>();

  of(path: string, flags: "r" | "r+"): number {
    const known = this.#descriptors.get(`${flags} ${path}`);
    if (known !== undefined) return known;
    const descriptor = openSync(path, flags);
    this.#descriptors.set(`${flags} ${path}`, descriptor);
    return descriptor;
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
  }
}

/**
 * Does the piece unless it is done already, and gives the SHA-256 of what it wrote. Throws
 * MODEL_INVALID when a weight is not finite.
 */
export function makePiece(piece: Piece, files: OpenFiles): string {
  if (piece.written !== undefined && digestTargets(piece, files) === piece.written) {
    return piece.written;
  }
  const hash = createHash("sha256");
  for (const [at, bytes] of convert(piece, readRange(piece.source, files)).entries()) {
    const target = piece.targets[at];
    if (target === undefined) continue;
    writeRange(target, bytes, files);
    hash.update(bytes);
  }
  return hash.digest("hex");
}

function digestTargets({ targets }: Piece, files: OpenFiles): string {
  const hash = createHash("sha256");
  for (const target of targets) hash.update(readRange(target, files));
  return hash.digest("hex");
}

function convert(piece: Piece, bytes: Uint8Array): Uint8Array[] {
  const { source, action, layout } = piece;
  const values = widenElements(bytes, source.dtype);
  if (action === "quantize" && layout !== undefined) {
    const rows = quantizeRows(values, layout);
    if (rows.notFiniteAt >= 0) refuse(piece, rows.notFiniteAt * layout.blockSize);
    return [rows.levels, bytesOf(rows.scales)];
  }
  const bad = findNotFinite(values);
  if (bad >= 0) refuse(piece, bad);
  return [action === "narrow" ? bytesOf(narrowToBf16(values)) : bytes];
}

function bytesOf(array: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function refuse({ tensor, source }: Piece, element: number): never {
  const what = `has a value that is not finite, near element ${element} of the rows`;
  const message = `${source.path}: tensor ${tensor} ${what} at byte ${source.offset}`;
  throw new ModelError("MODEL_INVALID", message, { file: source.path, field: tensor });
}

function readRange({ path, offset, length }: Range, files: OpenFiles): Uint8Array {
  const bytes = new Uint8Array(length);
  const descriptor = files.of(path, "r");
  let done = 0;
  while (done < length) {
    const count = readSync(descriptor, bytes, done, length - done, offset + done);
    if (count === 0) {
      throw new ModelError("MODEL_INVALID", `${path} ends at byte ${offset + done}`, {
        file: path,
      });
    }
    done += count;
  }
  return bytes;
}

function writeRange({ path, offset }: Range, bytes: Uint8Array, files: OpenFiles): void {
  const descriptor = files.of(path, "r+");
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}
