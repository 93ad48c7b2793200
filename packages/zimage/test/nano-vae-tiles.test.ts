/** How far a picture decoded in tiles is from the whole one, on the model that ships. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { toPixels } from "../src/image/pixels.ts";
import { openModelDirectory } from "../src/model/open-model-directory.ts";
import { openVaeDecoder } from "../src/networks/vae-decoder.ts";
import { openPipeline } from "../src/pipeline/open-pipeline.ts";

const nano = join(import.meta.dirname, "../../../models/z-image-nano");
const size = { width: 512, height: 256 };

async function drawLatents(): Promise<Float32Array> {
  const pipeline = await openPipeline(nano, { threads: 2 });
  const prompt = "a yellow boat on the left on the sea at sunset";
  const [caption] = await pipeline.encodePrompts([prompt]);
  if (caption === undefined) throw new RangeError("no caption");
  const render = pipeline.start({ ...size, prompt, steps: 8, seed: 5n }, caption);
  while (render.stepsDone < 8) await pipeline.step([render]);
  await pipeline.close();
  return render.latents;
}

test("tiles are close to the whole picture and not equal to it", async () => {
  const latents = await drawLatents();
  const { config, tensors } = (await openModelDirectory(nano)).vae;
  const decoder = await openVaeDecoder(config, tensors, { threads: 2 });
  const batch = { latents: [latents], height: 16, width: 32 };
  const [whole = new Float32Array()] = await decoder.decode(batch);
  const [tiled = new Float32Array()] = await decoder.decode({ ...batch, tileSide: 16 });
  await decoder.close();

  const difference = psnr(toPixels(tiled, size).data, toPixels(whole, size).data);
  expect(difference).toBeGreaterThan(30);
  expect(difference).toBeLessThan(60);
});

/** Peak signal to noise in decibels. */
function psnr(values: Uint8Array, exact: Uint8Array): number {
  const squares = exact.reduce((sum, wanted, at) => sum + ((values[at] ?? 0) - wanted) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (squares / exact.length));
}
