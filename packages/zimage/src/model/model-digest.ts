/** The digest that names a model: two directories with the same digest draw the same pictures. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { WeightFile } from "../weights/open-tensor-index.ts";
import { readSmallFile } from "./read-json.ts";

/** Files up to this size are hashed whole, which takes a quarter of a second at most. */
const wholeBytesMax = 64 * 1024 * 1024;
/** Of larger files, this much is hashed at both ends of every tensor. */
const sampleBytes = 4 * 1024;

export interface DigestInput {
  /** Name relative to the model directory, with forward slashes, to path. */
  readonly smallFiles: ReadonlyMap<string, string>;
  readonly weightFiles: ReadonlyMap<string, WeightFile>;
}

/**
 * SHA-256 in hex over the sorted names, sizes and contents of all files the model is made of.
 *
 * Reading 32 GB at every start would take minutes, so of weight files above 64 MiB only the header
 * and both ends of each tensor are read. Training, merging and quantising change every tensor they
 * touch from its first elements on, so they change the digest; an edit made by hand in the middle
 * of one tensor would not. It identifies a model, it does not protect against forgery.
 */
export async function digestModel(input: DigestInput): Promise<string> {
  const parts: [name: string, digest: string][] = [];
  for (const [name, path] of input.smallFiles) {
    parts.push([name, sha256(await readSmallFile(path))]);
  }
  for (const [name, file] of input.weightFiles) {
    const whole = file.header.fileLength <= wholeBytesMax;
    parts.push([name, whole ? sha256(await readSmallFile(file.path)) : await digestSamples(file)]);
  }
  const lines = parts.map(([name, digest]) => `${name} ${digest}\n`).toSorted();
  return sha256(Buffer.from(lines.join("")));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Exported for its test: the whole-file limit would need a large file to reach it. */
export async function digestSamples(file: Pick<WeightFile, "path" | "header">): Promise<string> {
  const { tensors, fileLength } = file.header;
  const hash = createHash("sha256").update(`sampled ${fileLength}\n`);
  const buffer = Buffer.alloc(sampleBytes);
  const handle = await open(file.path, "r");
  const take = async (position: number, length: number): Promise<void> => {
    const { bytesRead } = await handle.read(buffer, 0, length, position);
    hash.update(buffer.subarray(0, bytesRead));
  };
  try {
    for (const tensor of tensors) {
      hash.update(`${tensor.name} ${tensor.dtype} ${tensor.shape.join(",")}\n`);
      const length = Math.min(sampleBytes, tensor.length);
      await take(tensor.offset, length);
      await take(tensor.offset + tensor.length - length, length);
    }
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}
