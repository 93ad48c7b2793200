import { afterAll, beforeAll, expect, test } from "vitest";
import { expectRecorded, expectSameBits } from "../../test/expect-tensor.ts";
import { type Checkpoint, writeVae } from "../../test/filled-checkpoint.ts";
import { fillInput } from "../../test/hash-filler.ts";
import { relativeError } from "../../test/relative-error.ts";
import { tinyVae } from "../../test/tiny-networks.ts";
import { openVaeDecoder, type VaeDecoder } from "./vae-decoder.ts";

let checkpoint: Checkpoint;
let decoder: VaeDecoder;
const latent = fillInput("input.vae.latent", 16 * 4 * 6);

beforeAll(async () => {
  checkpoint = await writeVae(tinyVae);
  decoder = await openVaeDecoder(tinyVae, checkpoint.index, { threads: 2 });
});

afterAll(async () => {
  await decoder.close();
  await checkpoint[Symbol.asyncDispose]();
});

test("agrees with the reference implementation", async () => {
  const [image] = await decoder.decode({ latents: [latent], height: 4, width: 6 });

  expectRecorded(image, {
    first: [-0.297843, -0.402843, 0.094666, -0.078527],
    last: [1.260433, -0.193813, 0.019297, 0.154336],
    sum: -28.032785,
    l2: 10.238471,
  });
});

test("a picture's bits do not depend on the others", async () => {
  const latents = [latent, fillInput("another", latent.length), latent];
  const together = await decoder.decode({ latents, height: 4, width: 6 });

  for (const [index, one] of latents.entries()) {
    const [alone] = await decoder.decode({ latents: [one], height: 4, width: 6 });
    expectSameBits(together[index], alone);
  }
});

test("doubles the sides once per level after the first, in any number of levels", async () => {
  const config = { ...tinyVae, blockChannels: [16, 16, 32, 48], normGroups: 8 };
  await using deep = await writeVae(config);
  const network = await openVaeDecoder(config, deep.index);
  const input = { latents: [fillInput("z", 16 * 3 * 2)], height: 3, width: 2 };
  const [image] = await network.decode(input);
  await network.close();

  expect(image?.length).toBe(3 * 24 * 16);
});

test.each([
  ["latents", { latents: [] }],
  ["latents[0]", { latents: [new Float32Array(7)] }],
  ["height", { height: 0 }],
  ["width", { width: 1025 }],
])("refuses a bad %s", async (field, change) => {
  const batch = { latents: [latent], height: 4, width: 6, ...change };

  await expect(decoder.decode(batch)).rejects.toMatchObject({ code: "INPUT_INVALID", field });
});

test("tiles are near the whole picture, at any size, and whole where one covers it", async () => {
  const [height, width] = [20, 13];
  const latents = [fillInput("large", 16 * height * width)];
  const [whole] = await decoder.decode({ latents, height, width });
  const [tiled] = await decoder.decode({ latents, height, width, tileSide: 12 });
  const [covered] = await decoder.decode({ latents, height, width, tileSide: 20 });

  expectSameBits(covered, whole);
  expect(relativeError(tiled, whole)).toBeGreaterThan(0);
  expect(relativeError(tiled, whole)).toBeLessThan(0.2);
});
