/** The model that ships with the repository, through the same door as any other. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openPipeline } from "../src/index.ts";

const folder = fileURLToPath(new URL("../../../models/z-image-nano", import.meta.url));

describe("z-image-nano", () => {
  it("opens with its own bounds and draws", async () => {
    await using pipeline = await openDisposable();

    const { info } = pipeline.opened;
    expect(info).toMatchObject({ name: "z-image-nano", sizeMultiple: 32, stepsDefault: 8 });
    expect([info.widthDefault, info.heightDefault]).toEqual([256, 256]);
    const spec = { prompt: "a red house", width: 96, height: 64, steps: 1, seed: 1n };
    const pixels = await pipeline.opened.render(spec);
    expect(pixels.data.length).toBe(3 * 96 * 64);
  });

  it("reads a prompt of ordinary words as few tokens", async () => {
    await using pipeline = await openDisposable();

    expect(pipeline.opened.countTokens("a red house on a green hill")).toBeLessThan(24);
  });
});

async function openDisposable() {
  const opened = await openPipeline(folder);
  return { opened, [Symbol.asyncDispose]: () => opened.close() };
}
