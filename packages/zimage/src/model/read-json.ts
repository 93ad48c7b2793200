/**
 * Reads one JSON file of a model directory: bounded, and refused by file and field when it is
 * wrong.
 */
import { readFile, stat } from "node:fs/promises";
import type { z } from "zod";
import { ModelError } from "../errors.ts";

/** Far above any real file: Qwen's tokenizer.json, the largest, has 11 MB. */
const jsonBytesMax = 64 * 1024 * 1024;

/** Bytes of a file of at most 64 MiB; MODEL_INVALID names the file that is missing or too large. */
export async function readSmallFile(path: string): Promise<Buffer> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new ModelError("MODEL_INVALID", `${path} is missing`, { file: path, cause });
  });
  if (!info.isFile() || info.size > jsonBytesMax) {
    const what = info.isFile() ? `${info.size} bytes` : "not a file";
    throw new ModelError("MODEL_INVALID", `${path} is ${what}; at most ${jsonBytesMax} bytes`, {
      file: path,
    });
  }
  return await readFile(path);
}

/** The parsed JSON of a file; MODEL_INVALID when it is missing, not UTF-8 or not JSON. */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await readSmallFile(path);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ModelError("MODEL_INVALID", `${path} is not JSON in UTF-8`, { file: path, cause });
  }
}

/** Checks a value against a schema; MODEL_INVALID names file, field and the first thing wrong. */
export function parseFile<S extends z.ZodType>(
  schema: S,
  value: unknown,
  file: string,
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.map(String).join(".") ?? "";
  const where = field === "" ? file : `${file}: field ${field}`;
  throw new ModelError("MODEL_INVALID", `${where}: ${issue?.message ?? "is not valid"}`, {
    file,
    field,
    cause: result.error,
  });
}
