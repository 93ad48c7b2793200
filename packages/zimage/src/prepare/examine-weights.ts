/** Reads every weight of a model once: whether all are finite, and the digests of the files. */
import { basename } from "node:path";
import { ModelError } from "../errors.ts";
import type { ModelDirectory, NamedWeightFile } from "../model/open-model-directory.ts";
import { cutRows, sourceOf } from "./cut-rows.ts";
import { digestFile } from "./digest-file.ts";
import type { Piece } from "./piece.ts";
import { runPieces } from "./run-pieces.ts";

export interface ExamineOptions {
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExamineProgress) => void;
}

export interface ExamineProgress {
  readonly stage: "scan" | "digest";
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface FileDigest {
  /** Name in the model directory. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Where the digest was expected from, if from anywhere. */
  readonly confirmedBy: "zfarm.json" | "the cache's name" | undefined;
}

/**
 * Throws MODEL_INVALID naming file and tensor for the first value that is not finite, and for a
 * file whose digest is not the one that its record or the Hugging Face cache gives it.
 */
export async function examineWeights(
  model: ModelDirectory,
  options: ExamineOptions = {},
): Promise<FileDigest[]> {
  await scan(model, options);
  return await digestFiles(model, options);
}

async function scan(model: ModelDirectory, options: ExamineOptions): Promise<void> {
  const pieces = [model.transformer, model.textEncoder, model.vae]
    .flatMap(({ tensors }) =>
      [...tensors.tensors.values()]
        // Levels are integers: all of them are finite.
        .filter(({ dtype }) => dtype !== "U8")
        .flatMap((tensor) =>
          cutRows(tensor).map((span) => ({
            tensor: tensor.name,
            source: sourceOf(tensors, tensor, span),
          })),
        ),
    )
    .map((part, index): Piece => ({ ...part, index, action: "scan", targets: [] }));
  const totalBytes = pieces.reduce((sum, { source }) => sum + source.length, 0);
  let doneBytes = 0;
  await runPieces(pieces, {
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.signal !== undefined && { signal: options.signal }),
    onDone: ({ source }) => {
      doneBytes += source.length;
      options.onProgress?.({ stage: "scan", doneBytes, totalBytes });
    },
  });
}

async function digestFiles(model: ModelDirectory, options: ExamineOptions): Promise<FileDigest[]> {
  const { signal, onProgress } = options;
  const totalBytes = model.weightFiles.reduce((sum, { bytes }) => sum + bytes, 0);
  let doneBytes = 0;
  const onBytes = (count: number): void => {
    doneBytes += count;
    onProgress?.({ stage: "digest", doneBytes, totalBytes });
  };
  const digests: FileDigest[] = [];
  for (const file of model.weightFiles) {
    const stop = signal === undefined ? {} : { signal };
    const sha256 = await digestFile(file.realPath, { ...stop, onBytes });
    digests.push({
      name: file.name,
      bytes: file.bytes,
      sha256,
      confirmedBy: confirm(model, file, sha256),
    });
  }
  return digests;
}

/** A Hugging Face cache names the files it got from large-file storage by their SHA-256. */
const digestName = /^[0-9a-f]{64}$/;

function confirm(
  model: ModelDirectory,
  { name, realPath }: NamedWeightFile,
  sha256: string,
): FileDigest["confirmedBy"] {
  const recorded = model.prepared?.files[name]?.sha256;
  const cached = digestName.test(basename(realPath)) ? basename(realPath) : undefined;
  const expected = recorded ?? cached;
  if (expected !== undefined && expected !== sha256) {
    const message = `${realPath} has the SHA-256 ${sha256}; expected ${expected}`;
    throw new ModelError("MODEL_INVALID", message, { file: realPath });
  }
  if (recorded !== undefined) return "zfarm.json";
  return cached === undefined ? undefined : "the cache's name";
}
