/**
 * Reads the header of a safetensors file with hard limits, so that nothing in it can surprise
 * later. Stricter than the reference reader where two readers could understand one file
 * differently: duplicate keys, unknown keys, numbers beyond the safe integers and holes are all
 * refused.
 */
import { z } from "zod";
import { ModelError } from "../errors.ts";
import { type ByteSource, withFileSource } from "./byte-source.ts";
import { elementBytes } from "./encode-safetensors-header.ts";
import type { TensorDtype } from "./tensor-index.ts";

export interface HeaderLimits {
  readonly headerBytesMax: number;
  readonly tensorsMax: number;
  /** Of all keys and values together. */
  readonly metadataCharsMax: number;
  /** Element types; those of floating point when absent. */
  readonly dtypes?: readonly TensorDtype[];
}

/** A checkpoint's header is 60 to 200 KB; 16 MiB of JSON parses in about 0.4 s. */
export const checkpointLimits: HeaderLimits = {
  headerBytesMax: 16 * 1024 * 1024,
  tensorsMax: 8_192,
  metadataCharsMax: 64 * 1024,
};

/** What `zfarm model prepare` wrote may hold packed levels beside the floats. */
export const preparedLimits: HeaderLimits = {
  ...checkpointLimits,
  dtypes: ["F32", "F16", "BF16", "U8"],
};

export interface HeaderTensor {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  /** Absolute byte offset in the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly tensors: readonly HeaderTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes of the whole file. */
  readonly fileLength: number;
}

const lengthBytes = 8;
const metadataEntriesMax = 256;

const floatDtypes: readonly TensorDtype[] = ["F32", "F16", "BF16"];

/** What other programs call theirs, such as F8_E4M3, is repeated; anything else may be anything. */
function describeType(given: unknown): string {
  const isPlain = typeof given === "string" && /^[A-Z0-9_]{1,16}$/.test(given);
  return `${isPlain ? given : "the type"} is not read; F32, F16 and BF16 are`;
}

const tensorEntry = z.strictObject({
  dtype: z.enum(["F32", "F16", "BF16", "U8"], { error: ({ input }) => describeType(input) }),
  shape: z
    .array(
      z
        .int()
        .min(0)
        .max(2 ** 48),
    )
    .max(4),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const tensorName = z.string().regex(/^[A-Za-z0-9_.\-/]{1,256}$/);
const headerObject = z.record(z.string(), z.unknown());
const metadataObject = z.record(z.string(), z.string());

/** Reads and checks the header of the file at `path`; MODEL_INVALID names the file. */
export async function readSafetensorsHeader(
  path: string,
  limits: HeaderLimits = checkpointLimits,
): Promise<SafetensorsHeader> {
  return await withFileSource(path, (source) => readHeaderFrom(source, limits));
}

/** As `readSafetensorsHeader`, of a file that is open or in memory. */
export async function readHeaderFrom(
  source: ByteSource,
  limits: HeaderLimits,
): Promise<SafetensorsHeader> {
  const bytes = new Uint8Array(await readHeaderLength(source, limits));
  await source.read(bytes, lengthBytes);
  return parseSafetensorsHeader(bytes, { file: source.name, fileLength: source.size, limits });
}

async function readHeaderLength(source: ByteSource, limits: HeaderLimits): Promise<number> {
  const { name, size } = source;
  if (size < lengthBytes) refuse(name, `is truncated: ${size} bytes`);
  const prefix = new Uint8Array(lengthBytes);
  await source.read(prefix, 0);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  // The limit comes before the comparison with the file's size and before any allocation.
  if (length > BigInt(limits.headerBytesMax)) {
    refuse(name, `has a header of ${length} bytes; at most ${limits.headerBytesMax}`);
  }
  if (BigInt(lengthBytes) + length > BigInt(size)) {
    refuse(name, `is truncated: a header of ${length} bytes in a file of ${size}`);
  }
  return Number(length);
}

export interface HeaderSource {
  /** Named in every error. */
  readonly file: string;
  /** Bytes of the whole file: the header must account for every one. */
  readonly fileLength: number;
  readonly limits: HeaderLimits;
}

/** Checks the JSON part of a safetensors file; pure, so that it can be fuzzed. */
export function parseSafetensorsHeader(bytes: Uint8Array, source: HeaderSource): SafetensorsHeader {
  const value = parseStrictJson(bytes, source.file);
  const { __metadata__: rawMetadata, ...entries } = value;
  const metadata = checkMetadata(rawMetadata, source);
  const names = Object.keys(entries);
  if (names.length > source.limits.tensorsMax) {
    refuse(source.file, `names ${names.length} tensors; at most ${source.limits.tensorsMax}`);
  }
  const dataStart = lengthBytes + bytes.length;
  const tensors = names
    .map((name) => checkTensor(name, entries[name], { ...source, dataStart }))
    .toSorted((a, b) => a.offset - b.offset || a.length - b.length);
  const end = checkContiguous(tensors, dataStart, source.file);
  if (end !== source.fileLength) {
    const what = end > source.fileLength ? "is truncated" : "has trailing bytes";
    refuse(source.file, `${what}: ${source.fileLength} bytes, the header accounts for ${end}`);
  }
  return { tensors, metadata, fileLength: source.fileLength };
}

function parseStrictJson(bytes: Uint8Array, file: string): Record<string, unknown> {
  if (bytes[0] !== 0x7b) refuse(file, "has a header that does not begin with {");
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    refuse(file, "has a header that is not JSON in UTF-8", cause);
  }
  if (!/\} *$/.test(text)) refuse(file, "pads its header with something other than spaces");
  const parsed = headerObject.safeParse(value);
  if (!parsed.success) refuse(file, "has a header that is not a JSON object");
  refuseDuplicateKeys(text, parsed.data, file);
  return parsed.data;
}

/**
 * JSON.parse keeps the last of two equal keys where another reader may keep the first, so keys are
 * counted in the text too. Outside strings only plain digits and punctuation may stand, which rules
 * out exponents, signs, fractions and literals whose reading could differ.
 */
function refuseDuplicateKeys(text: string, value: object, file: string): void {
  let keys = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (char === '"') {
      at = endOfString(text, at);
      keys += isKey(text, at + 1) ? 1 : 0;
    } else if (!outsideStrings.has(char)) {
      refuse(file, "has a header with values other than strings, lists and plain numbers");
    }
    depth += "{[".includes(char) ? 1 : 0;
    depth -= "}]".includes(char) ? 1 : 0;
    // Everything after this walks the value; hostile depth would end in a stack overflow.
    if (depth > depthMax) refuse(file, `nests its header deeper than ${depthMax} levels`);
  }
  if (keys !== countKeys(value)) refuse(file, "has a header with a duplicate key");
}

/** The header, an entry, and the lists in it. */
const depthMax = 3;

const outsideStrings = new Set("{}[],:0123456789 \t\n\r");

/** Index of the closing quote; the text is known to be JSON. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

function isKey(text: string, after: number): boolean {
  let at = after;
  while (/\s/.test(text[at] ?? "")) at += 1;
  return text[at] === ":";
}

function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, item) => sum + countKeys(item), own);
}

function checkMetadata(
  value: unknown,
  { file, limits }: HeaderSource,
): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const parsed = metadataObject.safeParse(value);
  if (!parsed.success) refuse(file, "has metadata that are not strings", parsed.error);
  const entries = Object.entries(parsed.data);
  const chars = entries.reduce((sum, [key, text]) => sum + key.length + text.length, 0);
  if (entries.length > metadataEntriesMax || chars > limits.metadataCharsMax) {
    refuse(
      file,
      `has ${entries.length} metadata entries of ${chars} characters, which is too much`,
    );
  }
  return parsed.data;
}

interface Place extends HeaderSource {
  readonly dataStart: number;
}

function checkTensor(name: string, value: unknown, place: Place): HeaderTensor {
  // A bad name is not repeated: it may hold anything.
  if (!tensorName.safeParse(name).success) refuse(place.file, "has a tensor with a bad name");
  const parsed = tensorEntry.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = `${name}.${issue?.path.join(".") ?? ""}`;
    refuse(place.file, `has a bad entry for ${where}: ${issue?.message ?? ""}`, parsed.error);
  }
  const {
    dtype,
    shape,
    data_offsets: [begin, end],
  } = parsed.data;
  if (!(place.limits.dtypes ?? floatDtypes).includes(dtype)) {
    refuse(place.file, `has a bad entry for ${name}.dtype: ${dtype} is not a type of floats`);
  }
  const bytes = shape.reduce((product, side) => product * side, elementBytes[dtype]);
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
    const given = `[${begin}, ${end}]`;
    refuse(place.file, `gives ${name} ${dtype} [${shape.join(", ")}] the bytes ${given}`);
  }
  return { name, dtype, shape, offset: place.dataStart + begin, length: bytes };
}

/** Returns the byte after the last tensor; refuses holes and overlaps (a second file may hide). */
function checkContiguous(tensors: readonly HeaderTensor[], start: number, file: string): number {
  let end = start;
  for (const tensor of tensors) {
    if (tensor.offset !== end) {
      refuse(file, `has ${tensor.name} at byte ${tensor.offset} where ${end} was expected`);
    }
    end += tensor.length;
  }
  return end;
}

function refuse(file: string, what: string, cause?: unknown): never {
  throw new ModelError("MODEL_INVALID", `${file} ${what}`, { file, cause });
}
