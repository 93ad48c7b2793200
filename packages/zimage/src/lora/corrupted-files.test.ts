// Whatever happens to a file, the reader answers: with an adapter that the transformer takes, or
// with LORA_INVALID. It never asks for more memory than the file has bytes.
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeLoraFile, spellingNames, spellings } from "../../test/lora-files.ts";
import { frameHeader } from "../../test/safetensors-writer.ts";
import { tinyAdapter, tinyTransformer } from "../../test/tiny-networks.ts";
import { ModelError } from "../errors.ts";
import { checkAdapter } from "../networks/lora-batch.ts";
import { type ByteSource, memorySource } from "../weights/byte-source.ts";
import { loraArchitectureOf, loraTargetsOf } from "./architecture.ts";
import { readLora } from "./read-lora.ts";

const architecture = loraArchitectureOf(tinyTransformer);
const targets = new Map(loraTargetsOf(architecture).map((target) => [target.name, target]));
const attention = ["to_q", "to_k", "to_v", "to_out.0"].map((part) => `layers.0.attention.${part}`);
const adapter = tinyAdapter("whole", [...attention, "layers.1.adaLN_modulation.0"], { rank: 2 });
const files = spellingNames.map((name) => encodeLoraFile(spellings[name].write(adapter)));
const file = fc.constantFrom(...files);

/** Refuses to hand out more bytes than a reader of this file could need. */
function meteredSource(bytes: Uint8Array): ByteSource {
  const source = memorySource("adapter", bytes);
  let asked = 0;
  return {
    ...source,
    read: async (target, position) => {
      asked += target.length;
      expect(target.length).toBeLessThanOrEqual(bytes.length);
      expect(asked).toBeLessThanOrEqual(3 * bytes.length + 64);
      await source.read(target, position);
    },
  };
}

async function isRefused(bytes: Uint8Array): Promise<boolean> {
  try {
    const read = await readLora(meteredSource(bytes), architecture);
    checkAdapter(read.adapter, targets);
    return false;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    expect(error.code).toBe("LORA_INVALID");
    return true;
  }
}

/** The file's header as text and the bytes behind it. */
function takeApart(bytes: Uint8Array): { json: string; data: Uint8Array } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const json = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  return { json, data: bytes.subarray(8 + length) };
}

function reframe(json: string, data: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([frameHeader(json), data]));
}

test("files as they were written are read", async () => {
  for (const bytes of files) expect(await isRefused(bytes)).toBe(false);
});

test("flipped bits, in the header and in the data", async () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 7 })), { minLength: 1, maxLength: 8 });
  const property = fc.asyncProperty(file, flips, async (whole, changes) => {
    const bytes = Uint8Array.from(whole);
    for (const [position, bit] of changes) {
      const at = position % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
    }
    await isRefused(bytes);
  });
  await fc.assert(property, { numRuns: 500 });
});

test("flipped bits in the header alone", async () => {
  const property = fc.asyncProperty(file, fc.nat(), fc.nat({ max: 255 }), async (whole, at, to) => {
    const bytes = Uint8Array.from(whole);
    bytes[at % (bytes.length - takeApart(whole).data.length)] = to;
    await isRefused(bytes);
  });
  await fc.assert(property, { numRuns: 1_000 });
});

test("every cut is refused, and so is every byte too many", async () => {
  const property = fc.asyncProperty(file, fc.nat(), async (whole, at) => {
    expect(await isRefused(whole.subarray(0, at % whole.length))).toBe(true);
    expect(await isRefused(new Uint8Array([...whole, at & 0xff]))).toBe(true);
  });
  await fc.assert(property, { numRuns: 200 });
});

test("lengths of the header around every edge", async () => {
  const edges = [0n, 1n, 2n ** 20n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n];
  const length = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.tuple(fc.constantFrom(...edges), fc.bigInt({ min: -2n, max: 2n })).map(([a, b]) => a + b),
  );
  const property = fc.asyncProperty(file, length, async (whole, claimed) => {
    const bytes = Uint8Array.from(whole);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, claimed), true);
    await isRefused(bytes);
  });
  await fc.assert(property, { numRuns: 300 });
});

const number = fc.constantFrom("0", "1", "2", "31", "33", "65536", "4294967296");
const edge = fc.constantFrom("9007199254740991", "9007199254740993", "-1", "1e400", "0.5", "null");

test("numbers of the header replaced: shapes, overlaps, holes, sums that overflow", async () => {
  const property = fc.asyncProperty(
    file,
    fc.nat(),
    fc.oneof(number, edge),
    async (whole, at, text) => {
      const { json, data } = takeApart(whole);
      const numbers = [...json.matchAll(/(?<=[[,])\d+/g)];
      const found = numbers[at % numbers.length];
      const start = found?.index ?? 0;
      const end = start + (found?.[0].length ?? 0);
      await isRefused(reframe(json.slice(0, start) + text + json.slice(end), data));
    },
  );
  await fc.assert(property, { numRuns: 1_000 });
});

test("names exchanged, shapes turned, types changed", async () => {
  const property = fc.asyncProperty(file, fc.nat(), fc.nat(), async (whole, first, second) => {
    const { json, data } = takeApart(whole);
    const header = JSON.parse(json) as Record<string, { shape?: number[]; dtype?: string }>;
    const names = Object.keys(header).filter((name) => name !== "__metadata__");
    const [one = "", other = ""] = [names[first % names.length], names[second % names.length]];
    [header[one], header[other]] = [header[other] ?? {}, header[one] ?? {}];
    if (first % 3 === 0) header[one]?.shape?.reverse();
    if (first % 5 === 0) Object.assign(header[other] ?? {}, { dtype: "BF16" });
    await isRefused(reframe(JSON.stringify(header), data));
  });
  await fc.assert(property, { numRuns: 500 });
});
