import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Pixels } from "../image/pixels.ts";
import { openPipeline } from "../pipeline/open-pipeline.ts";

const nano = fileURLToPath(new URL("../../../../models/z-image-nano", import.meta.url));

/** Mean over squares of the given side. */
function shrink({ width, height, data }: Pixels, by: number): number[] {
  const [columns, rows] = [width / by, height / by];
  return Array.from({ length: rows * columns * 3 }, (_, at) => {
    const [cell, colour] = [Math.floor(at / 3), at % 3];
    let sum = 0;
    for (let y = 0; y < by; y += 1) {
      for (let x = 0; x < by; x += 1) {
        const row = Math.floor(cell / columns) * by + y;
        sum += data[(row * width + (cell % columns) * by + x) * 3 + colour] ?? 0;
      }
    }
    return sum / (by * by);
  });
}

function decibels(one: ArrayLike<number>, other: ArrayLike<number>): number {
  const squares = Array.from(one, (value, at) => (value - (other[at] ?? 0)) ** 2);
  const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
  return 10 * Math.log10(255 ** 2 / mean);
}

test("a preview resembles its picture, and more so with every step", async () => {
  const pipeline = await openPipeline(nano, { threads: 1 });
  const prompt = "a red house under a blue sky";
  const [caption] = await pipeline.encodePrompts([prompt]);
  if (caption === undefined) throw new RangeError("no caption");
  const spec = { prompt, width: 256, height: 256, steps: 8, seed: 3n };
  const render = pipeline.start(spec, caption);
  const previews: Pixels[] = [];

  for (let step = 0; step < 8; step += 1) {
    await pipeline.step([render]);
    previews.push(await pipeline.preview(render));
  }
  const [picture] = await pipeline.decode([render]);
  await pipeline.close();

  if (picture === undefined) throw new RangeError("no picture");
  const small = shrink(picture, 16);
  const quality = previews.map(({ data }) => decibels(data, small));
  expect(quality[7]).toBeGreaterThan(17);
  expect(quality[3]).toBeGreaterThan(12);
  expect(quality[3]).toBeGreaterThan(quality[0] ?? 0);
});
