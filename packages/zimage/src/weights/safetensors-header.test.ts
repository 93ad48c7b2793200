import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { frameHeader } from "../../test/safetensors-writer.ts";
import { ModelError } from "../errors.ts";
import {
  checkpointLimits,
  parseSafetensorsHeader,
  readSafetensorsHeader,
} from "./safetensors-header.ts";

const file = "weights.safetensors";
const pair = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';

/** Parses a header in front of `dataBytes` of data. */
function parse(json: string | Uint8Array, dataBytes = 8, limits = checkpointLimits): unknown {
  const bytes = typeof json === "string" ? new TextEncoder().encode(json) : json;
  return parseSafetensorsHeader(bytes, { file, fileLength: 8 + bytes.length + dataBytes, limits });
}

describe("parseSafetensorsHeader", () => {
  it("gives absolute offsets in the order of the data", () => {
    const b = '{"dtype":"BF16","shape":[2,2],"data_offsets":[8,16]}';
    const json = `{"b":${b},"__metadata__":{"format":"pt"},"a":${pair}}   `;

    expect(parse(json, 16)).toEqual({
      tensors: [
        { name: "a", dtype: "F32", shape: [2], offset: 8 + json.length, length: 8 },
        { name: "b", dtype: "BF16", shape: [2, 2], offset: 16 + json.length, length: 8 },
      ],
      metadata: { format: "pt" },
      fileLength: 8 + json.length + 16,
    });
  });

  it("accepts scalars and empty tensors", () => {
    const scalar = '{"dtype":"F16","shape":[],"data_offsets":[0,2]}';
    const empty = '{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}';

    expect(parse(`{"scalar":${scalar},"empty":${empty}}`, 2)).toMatchObject({
      tensors: [{ name: "empty" }, { name: "scalar", length: 2 }],
    });
  });

  const entry = (fields: string): string => `{"a":{${fields}}}`;
  const refused: readonly (readonly [rule: string, json: string | Uint8Array, why: string])[] = [
    ["R4 bytes that are not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), "not JSON in UTF-8"],
    ["R5 a first byte other than {", ` {"a":${pair}}`, "does not begin with {"],
    ["R5 padding other than spaces", `{"a":${pair}}\n`, "pads its header"],
    ["R6 JSON that is cut", `{"a":${pair}`, "not JSON"],
    ["R6 a duplicate key", `{"a":${pair},"a":${pair}}`, "duplicate key"],
    ["R6 a duplicate key in disguise", `{"a":${pair},"\\u0061":${pair}}`, "duplicate key"],
    [
      "R6 a duplicate key inside an entry",
      entry('"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]'),
      "duplicate key",
    ],
    ["R6 a key that names the prototype", `{"__proto__":${pair}}`, "duplicate key"],
    ["R6 lists in lists", `{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`, "nests its header"],
    ["R7 metadata other than strings", `{"__metadata__":{"a":[1]},"a":${pair}}`, "metadata"],
    ["R7 too much metadata", `{"__metadata__":{"a":"${"b".repeat(65_536)}"}}`, "too much"],
    ["R8 a missing key", entry('"dtype":"F32","shape":[2]'), "a.data_offsets"],
    [
      "R8 an additional key",
      entry('"dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":[1]'),
      "bad entry",
    ],
    ["R9 another type", entry('"dtype":"F64","shape":[1],"data_offsets":[0,8]'), "a.dtype"],
    ["R10 a negative side", entry('"dtype":"F32","shape":[-2],"data_offsets":[0,8]'), "plain"],
    ["R10 a fraction", entry('"dtype":"F32","shape":[2.5],"data_offsets":[0,8]'), "plain"],
    ["R10 an exponent", entry('"dtype":"F32","shape":[2e0],"data_offsets":[0,8]'), "plain"],
    [
      "R10 a number beyond the safe integers",
      entry('"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,8]'),
      "a.shape",
    ],
    ["R10 five sides", entry('"dtype":"F32","shape":[1,1,1,1,2],"data_offsets":[0,8]'), "a.shape"],
    [
      "R11 a product that overflows",
      entry('"dtype":"F32","shape":[281474976710656,281474976710656],"data_offsets":[0,8]'),
      "gives a F32",
    ],
    ["R12 a hole", entry('"dtype":"F32","shape":[1],"data_offsets":[4,8]'), "was expected"],
    ["R12 an overlap", `{"a":${pair},"b":${pair}}`, "was expected"],
    ["R12 a reversed range", entry('"dtype":"F32","shape":[2],"data_offsets":[8,0]'), "gives a"],
    ["R13 a wrong size", entry('"dtype":"F32","shape":[3],"data_offsets":[0,8]'), "gives a F32"],
    ["R15 a bad name", `{"a\\n":${pair}}`, "bad name"],
    ["R15 a long name", `{"${"a".repeat(257)}":${pair}}`, "bad name"],
  ];
  it.each(refused)("refuses %s", (_, json, why) => {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({
        code: "MODEL_INVALID",
        file,
        message: expect.stringContaining(why) as string,
      }),
    );
  });

  it("R14 accounts for every byte of the file", () => {
    expect(() => parse(`{"a":${pair}}`, 7)).toThrow(`${file} is truncated`);
    expect(() => parse(`{"a":${pair}}`, 9)).toThrow(`${file} has trailing bytes`);
  });

  it("R15 refuses more tensors than the limit", () => {
    const limits = { ...checkpointLimits, tensorsMax: 1 };
    const empty = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';

    expect(() => parse(`{"a":${empty},"b":${empty}}`, 0, limits)).toThrow("at most 1");
  });

  it("answers any damage with a ModelError", () => {
    const valid = new TextEncoder().encode(`{"a":${pair},"__metadata__":{"format":"pt"}}`);
    const at = fc.nat({ max: valid.length - 1 });
    fc.assert(
      fc.property(at, fc.nat({ max: 255 }), (position, byte) => {
        const damaged = Uint8Array.from(valid);
        damaged[position] = byte;
        try {
          parse(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(ModelError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("readSafetensorsHeader", () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "safetensors-"));
    path = join(folder, file);
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const refusal = (why: string): unknown =>
    expect.objectContaining({
      code: "MODEL_INVALID",
      file: path,
      message: expect.stringContaining(why) as string,
    });

  it("names a file that is missing", async () => {
    await expect(readSafetensorsHeader(path)).rejects.toEqual(refusal("is missing"));
  });

  it("R1 names a file too short for a length", async () => {
    await writeFile(path, "{}");

    await expect(readSafetensorsHeader(path)).rejects.toEqual(refusal("is truncated: 2 bytes"));
  });

  it("R2 refuses a header above the limit before reading it", async () => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(2n ** 63n);
    await writeFile(path, length);

    await expect(readSafetensorsHeader(path)).rejects.toEqual(refusal("at most 16777216"));
  });

  it("R3 names a file that ends within its header", async () => {
    await writeFile(path, frameHeader(`{"a":${pair}}`).subarray(0, 20));

    await expect(readSafetensorsHeader(path)).rejects.toEqual(refusal("is truncated"));
  });

  it("names a file that ends within its data", async () => {
    await writeFile(path, Buffer.concat([frameHeader(`{"a":${pair}}`), Buffer.alloc(7)]));

    await expect(readSafetensorsHeader(path)).rejects.toEqual(refusal("is truncated"));
  });
});
