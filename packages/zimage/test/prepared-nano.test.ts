// What preparing costs in pictures, on the model that ships.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Pixels } from "../src/image/pixels.ts";
import { openPipeline } from "../src/pipeline/open-pipeline.ts";
import { prepareModel } from "../src/prepare/prepare-model.ts";

const nano = fileURLToPath(new URL("../../../models/z-image-nano", import.meta.url));
const spec = {
  prompt: "a red house on a green hill",
  width: 128,
  height: 128,
  steps: 8,
  seed: 1n,
};

async function draw(directory: string): Promise<Pixels> {
  const pipeline = await openPipeline(directory, { threads: 1 });
  try {
    return await pipeline.render(spec);
  } finally {
    await pipeline.close();
  }
}

/** Peak signal-to-noise ratio in decibels. */
function likeness(one: Pixels, other: Pixels): number {
  const squares = one.data.reduce(
    (sum, value, at) => sum + (value - (other.data[at] ?? 0)) ** 2,
    0,
  );
  return 10 * Math.log10(255 ** 2 / (squares / one.data.length));
}

describe("a prepared model", () => {
  let folder: string;
  let original: Pixels;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "prepared-nano-"));
    original = await draw(nano);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it("in bf16 draws the same bytes, since that is what ships", async () => {
    const out = join(folder, "bf16");
    await prepareModel(nano, { mode: "bf16", out });

    expect(await draw(out)).toEqual(original);
  });

  // Measured: 48.9 and 23.0 dB. Four bits show in a model as small as this one.
  it.each([
    ["int8", 40],
    ["int4", 18],
  ] as const)("in %s draws nearly the same picture: %i dB or more", async (mode, bound) => {
    const out = join(folder, mode);
    await prepareModel(nano, { mode, out });

    expect(likeness(original, await draw(out))).toBeGreaterThan(bound);
  });
});
