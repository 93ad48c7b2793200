/** A whole farm over models that do not lie on disk as the shipped one does. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModelDirectory, readPngMetadata } from "@zfarm/zimage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSingleFileModel } from "../../packages/zimage/test/single-file-model.ts";
import { repositoryRoot } from "../repository.ts";
import { cliEntry, startFarm } from "./farm.ts";

const nano = join(repositoryRoot, "models/z-image-nano");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zfarm-layouts-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function zfarm(...args: string[]): ReturnType<typeof spawnSync> {
  return spawnSync(process.execPath, [cliEntry, ...args], { encoding: "utf8" });
}

/** Draws one picture on a farm over the model; gives the file. */
async function drawWith(model: string): Promise<Buffer> {
  const farm = await startFarm({ workers: 1, env: { ZFARM_BROKER: "memory" }, model });
  const out = join(folder, "picture.png");
  const size = ["--size", "64x64", "--steps", "2", "--seed", "1"];
  const drawn = zfarm("render", "a red house", ...size, "--out", out, "--address", farm.address);
  expect([drawn.status, await farm.stop()]).toEqual([0, 0]);
  return await readFile(out);
}

describe("a farm", () => {
  test("draws with weights that `zfarm model prepare` made smaller", async () => {
    const small = join(folder, "small");

    const prepared = zfarm("model", "prepare", nano, "--weights", "int8", "--out", small);

    expect(prepared.status).toBe(0);
    const picture = readPngMetadata(await drawWith(small));
    expect(picture?.modelDigest).toBe((await openModelDirectory(small)).digest);
  });

  test("draws the same pixels from single files as from the directory", async () => {
    const single = join(folder, "single");
    await writeSingleFileModel(nano, single);

    const [fromFiles, fromDirectory] = [await drawWith(single), await drawWith(nano)];

    expect(pixelData(fromFiles)).toEqual(pixelData(fromDirectory));
  });
});

/** The compressed pixels of a PNG: what is left without the texts, which name the model. */
function pixelData(png: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("ascii", at + 4, at + 8) === "IDAT")
      chunks.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  return chunks;
}
