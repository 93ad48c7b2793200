import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { encodeLoraFile, spellingNames, spellings } from "../../test/lora-files.ts";
import { tinyAdapter, tinyLoraModules, tinyTransformer } from "../../test/tiny-networks.ts";
import type { LoraAdapter } from "../networks/lora-batch.ts";
import { layOutAdapter } from "../networks/lora-layout.ts";
import { memorySource } from "../weights/byte-source.ts";
import { loraArchitectureOf } from "./architecture.ts";
import { inspectLora, readLora, readLoraForRuns } from "./read-lora.ts";

const architecture = loraArchitectureOf(tinyTransformer);
const adapter = tinyAdapter("original", tinyLoraModules);

/** What an adapter adds to each module, with the scale inside B. */
function updatesOf({ modules }: LoraAdapter): object {
  const updates = [...modules].map(([name, { rank, scale, down, up }]) => {
    return [name, { rank, down, up: up.map((value) => scale * value) }] as const;
  });
  return Object.fromEntries(updates.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe.each(spellingNames)("a file in the spelling %s", (name) => {
  const bytes = encodeLoraFile(spellings[name].write(adapter));

  it("gives the same update as every other", async () => {
    const read = await readLora(memorySource("adapter", bytes), architecture);

    expect(updatesOf(read.adapter)).toEqual(updatesOf(adapter));
  });

  it.each(["F32", "BF16"] as const)(
    "read for runs from %s is what is laid out after",
    async (dtype) => {
      const source = memorySource("adapter", encodeLoraFile(spellings[name].write(adapter), dtype));

      const { adapter: forRuns } = await readLoraForRuns(source, architecture);

      expect(forRuns).toEqual(layOutAdapter((await readLora(source, architecture)).adapter));
    },
  );

  it("is reported by the gate as it is read", async () => {
    const report = await inspectLora(memorySource("adapter", bytes), architecture);

    const { report: again } = await readLora(memorySource("adapter", bytes), architecture);
    expect(report).toEqual(again);
    expect(report).toMatchObject({
      digest: createHash("sha256").update(bytes).digest("hex"),
      dialect: spellings[name].dialect,
      modulesMatched: 16,
      modulesOfModel: 31,
      ranks: { min: 4, max: 4 },
      ranksTaken: 16,
      fileBytes: bytes.length,
    });
  });
});

it.each(["F16", "BF16"] as const)("elements of %s are read as what they are", async (dtype) => {
  // Few enough digits for either type, one tensor after the other through the reader's buffer.
  const coarse = (values: Float32Array): Float32Array =>
    values.map((value) => Math.round(64 * value) / 64);
  const modules = [...adapter.modules].map(([name, { rank, scale, down, up }]) => {
    return [name, { rank, scale, down: coarse(down), up: coarse(up) }] as const;
  });
  const rounded = { id: "coarse", modules: new Map(modules) };
  const bytes = encodeLoraFile(spellings.kohya.write(rounded), dtype);

  const read = await readLora(memorySource("adapter", bytes), architecture);

  expect(updatesOf(read.adapter)).toEqual(updatesOf(rounded));
});
