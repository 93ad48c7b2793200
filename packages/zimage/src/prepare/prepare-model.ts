/**
 * Writes a model once more with weights of another kind: bf16, or blocks of int8 or int4. Streams,
 * uses all cores, and goes on where a killed run stopped.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ModelError } from "../errors.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import { openModelDirectory } from "../model/open-model-directory.ts";
import type { PreparedMode, PreparedRecord } from "../weights/prepared-format.ts";
import { preparedBlockSize, preparedRecordFile } from "../weights/prepared-format.ts";
import { digestFile } from "./digest-file.ts";
import { type Journal, openJournal } from "./journal.ts";
import type { Piece } from "./piece.ts";
import { type PlannedFile, planFiles } from "./plan-files.ts";
import { runPieces } from "./run-pieces.ts";
import { writeConfigs } from "./write-configs.ts";

export interface PrepareOptions {
  readonly mode: PreparedMode;
  /** The directory to be made; it must not be there. Its work lies in `<out>.partial`. */
  readonly out: string;
  /** One per core when absent. */
  readonly threads?: number;
  /** Stops after the pieces in work; the same call later goes on from there. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PrepareProgress) => void;
}

export interface PrepareProgress {
  readonly stage: "convert" | "verify";
  /** Bytes of the directory that is made. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface PrepareReport {
  /** Absolute. */
  readonly path: string;
  readonly digest: string;
  readonly bytes: number;
  /** Bytes that an earlier run had written, and that were found to be right. */
  readonly resumedBytes: number;
}

const journalName = "prepare.journal";
/** Configuration files and the journal, beside the weights. */
const smallFilesBytes = 64 * 1024 * 1024;

/**
 * Prepares the model in `directory`. The output appears under its name only when it is complete and
 * was opened and checked like any other model.
 * Throws INPUT_INVALID with the field `out` when there is no room or something is there already,
 * MODEL_INVALID when the source cannot be opened, has a value that is not finite, or is itself
 * prepared.
 */
export async function prepareModel(
  directory: string,
  options: PrepareOptions,
): Promise<PrepareReport> {
  const model = await openModelDirectory(directory);
  if (model.prepared !== undefined) refuseSource(model);
  const out = resolve(options.out);
  await refuseExisting(out);
  const partial = `${out}.partial`;
  const files = planFiles(model, options.mode, partial);
  await mkdir(partial, { recursive: true });
  const plan = planDigest(model, files);
  const journal = await openJournal(join(partial, journalName), plan);
  await checkRoom(partial, files);
  for (const file of files) await allocate(partial, file);
  const resumedBytes = await convertAll(files, journal, options).catch(async (error: unknown) => {
    // A source at fault will not get better by going on: its room is given back.
    if (error instanceof ModelError) await rm(partial, { recursive: true });
    throw error;
  });
  await writeConfigs(model, partial);
  await writeRecord({ model, files, partial }, options);
  // What could not be opened must not appear under its name.
  const { digest } = await openModelDirectory(partial);
  await rename(partial, out);
  await rm(join(out, journalName));
  return { path: out, digest, bytes: totalOf(files), resumedBytes };
}

function refuseSource(model: ModelDirectory): never {
  const file = join(model.path, preparedRecordFile);
  const mode = model.prepared?.weights;
  const message = `${model.path} is prepared already, in ${mode}: prepare what it was made from`;
  throw new ModelError("MODEL_INVALID", message, { file });
}

async function refuseExisting(out: string): Promise<void> {
  const entries = await readdir(out).catch(() => undefined);
  const isThere = entries ?? (await stat(out).catch(() => undefined));
  if (isThere === undefined) return;
  throw new ModelError("INPUT_INVALID", `${out} is there already`, { field: "out" });
}

function totalOf(files: readonly Pick<PlannedFile, "length">[]): number {
  return files.reduce((sum, { length }) => sum + length, 0);
}

/** What must be equal for an earlier run's bytes to be of use. */
function planDigest(model: ModelDirectory, files: readonly PlannedFile[]): string {
  const hash = createHash("sha256").update(`${model.digest}\n`);
  for (const { name, header } of files) hash.update(`${name}\n`).update(header);
  return hash.digest("hex");
}

/**
 * Bytes that are there count as free: they will be written over or kept. Exported for its test,
 * which would need a full disk.
 */
export async function checkRoom(
  partial: string,
  files: readonly Pick<PlannedFile, "name" | "length">[],
): Promise<void> {
  const { bavail, bsize } = await statfs(partial);
  let taken = 0;
  for (const { name } of files) {
    const info = await stat(join(partial, name)).catch(() => undefined);
    taken += (info?.blocks ?? 0) * 512;
  }
  const needed = totalOf(files) + smallFilesBytes;
  const free = bavail * bsize + taken;
  if (needed <= free) return;
  const message = `${partial} has ${free} bytes free; ${needed} are needed`;
  throw new ModelError("INPUT_INVALID", message, { field: "out" });
}

/** The file in its final size with its header; the pieces fill it in any order. */
async function allocate(partial: string, { name, header, length }: PlannedFile): Promise<void> {
  const path = join(partial, name);
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, "r+").catch(() => open(path, "w+"));
  try {
    await handle.truncate(length);
    await handle.write(header, 0, header.length, 0);
  } finally {
    await handle.close();
  }
}

/** Gives the bytes that did not have to be made again. */
async function convertAll(
  files: readonly PlannedFile[],
  journal: Journal,
  options: PrepareOptions,
): Promise<number> {
  const pieces = files
    .flatMap((file) => file.pieces)
    .map((piece, index): Piece => {
      const written = journal.written.get(index);
      return { ...piece, index, ...(written !== undefined && { written }) };
    });
  const totalBytes = totalOf(files);
  let doneBytes = 0;
  let resumedBytes = 0;
  await runPieces(pieces, {
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.signal !== undefined && { signal: options.signal }),
    onDone: async (piece, sha256) => {
      const bytes = piece.targets.reduce((sum, { length }) => sum + length, 0);
      doneBytes += bytes;
      options.onProgress?.({ stage: "convert", doneBytes, totalBytes });
      if (sha256 === piece.written) resumedBytes += bytes;
      else await journal.add(piece.index, sha256);
    },
  });
  return resumedBytes;
}

interface Output {
  readonly model: ModelDirectory;
  readonly files: readonly PlannedFile[];
  readonly partial: string;
}

/** The digests are of what lies on disk, read back. */
async function writeRecord(
  { model, files, partial }: Output,
  { mode, signal, onProgress }: PrepareOptions,
): Promise<void> {
  const totalBytes = totalOf(files);
  let doneBytes = 0;
  const onBytes = (count: number): void => {
    doneBytes += count;
    onProgress?.({ stage: "verify", doneBytes, totalBytes });
  };
  const entries: [string, { bytes: number; sha256: string }][] = [];
  for (const { name, length } of files) {
    const path = join(partial, name);
    await flush(path);
    const sha256 = await digestFile(path, { ...(signal !== undefined && { signal }), onBytes });
    entries.push([name, { bytes: length, sha256 }]);
  }
  const record: PreparedRecord = {
    format: "zfarm-prepared",
    version: 1,
    weights: mode,
    blockSize: preparedBlockSize,
    source: { name: model.name, digest: model.digest },
    files: Object.fromEntries(entries),
  };
  await writeFile(join(partial, preparedRecordFile), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** The name must not appear before the bytes are safe. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, "r+");
  await handle.sync();
  await handle.close();
}
