import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { Pixels } from "./pixels.ts";
import { encodePng, readPngMetadata } from "./png.ts";
import { insertTexts, readTexts } from "./png-text.ts";

const pixels: Pixels = { width: 2, height: 1, data: Uint8Array.of(255, 0, 0, 0, 0, 255) };
const metadata = {
  prompt: 'a cat, 一只猫, \u{1F408}, "quoted"\nand <b>marked</b>',
  seed: 2n ** 64n - 1n,
  steps: 8,
  width: 2,
  height: 1,
  model: "owner/model",
  modelDigest: "ab".repeat(32),
};

describe("encodePng", () => {
  it("gives back prompt, seed, steps, size and model, in any script", async () => {
    const png = await encodePng(pixels, metadata);

    expect(readPngMetadata(png)).toEqual(metadata);
  });

  it("gives back the adapters and their weights", async () => {
    const loras = [{ digest: "cd".repeat(32), weight: -0.75 }];
    const png = await encodePng(pixels, { ...metadata, loras });

    expect(readPngMetadata(png)).toEqual({ ...metadata, loras });
  });

  it("keeps every pixel", async () => {
    const png = await encodePng(pixels, metadata);

    const decoded = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect(decoded.info).toMatchObject({ width: 2, height: 1, channels: 3 });
    expect(new Uint8Array(decoded.data)).toEqual(pixels.data);
  });

  it("gives equal bytes for equal pictures", async () => {
    expect(await encodePng(pixels, metadata)).toEqual(await encodePng(pixels, metadata));
  });

  it("shows other programs the prompt and the picture's origin", async () => {
    const png = await encodePng(pixels, metadata);

    expect(readTexts(png).get("Description")).toBe(metadata.prompt);
    expect((await sharp(png).metadata()).xmpAsString).toContain("trainedAlgorithmicMedia");
  });
});

describe("readPngMetadata", () => {
  it("finds nothing in a picture of another program", async () => {
    const { width, height, data } = pixels;
    const foreign = await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();

    expect(readPngMetadata(foreign)).toBeUndefined();
    expect(readPngMetadata(insertTexts(foreign, new Map([["zfarm", "{}"]])))).toBeUndefined();
    expect(readPngMetadata(insertTexts(foreign, new Map([["zfarm", "not JSON"]])))).toBeUndefined();
  });

  it("finds nothing where the file is cut or damaged", async () => {
    const png = await encodePng(pixels, metadata);
    const damaged = Uint8Array.from(png);
    const at = Buffer.from(png).indexOf("owner/model");
    damaged[at] = 0x78;

    expect(readPngMetadata(damaged)).toBeUndefined();
    expect(readPngMetadata(png.subarray(0, at))).toBeUndefined();
    expect(readPngMetadata(new Uint8Array(3))).toBeUndefined();
  });
});
