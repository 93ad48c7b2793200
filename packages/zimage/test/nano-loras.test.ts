/** Adapters on the model that ships: pictures of one batch with different stacks, and none. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type LoraStack,
  openModelDirectory,
  openPipeline,
  type Pipeline,
  type Pixels,
  type RenderSpec,
} from "../src/index.ts";
import { tinyAdapter } from "./tiny-networks.ts";

const folder = fileURLToPath(new URL("../../../models/z-image-nano", import.meta.url));
const spec: RenderSpec = { prompt: "a red house", width: 64, height: 64, steps: 2, seed: 7n };

let pipeline: Pipeline;
let stacks: LoraStack[];

beforeAll(async () => {
  const { config } = (await openModelDirectory(folder)).transformer;
  const modules = ["attention.to_q", "attention.to_out.0", "feed_forward.w2"];
  const named = modules.flatMap((module) => [0, 5].map((layer) => `layers.${layer}.${module}`));
  const [warm, cold, wide] = [
    tinyAdapter("warm", named, { config }),
    tinyAdapter("cold", named.slice(2), { rank: 16, config }),
    tinyAdapter("wide", named, { rank: 32, config }),
  ].map((adapter) => ({ adapter, strength: 0.1 }));
  if (warm === undefined || cold === undefined || wide === undefined) throw new RangeError();
  stacks = [[], [warm], [cold, { ...warm, strength: -0.2 }], [wide]];
  pipeline = await openPipeline(folder, { threads: 2 });
}, 60_000);
afterAll(() => pipeline.close());

/** Draws one picture for each stack, all in one batch. */
async function drawTogether(batch: readonly LoraStack[]): Promise<Pixels[]> {
  const captions = await pipeline.encodePrompts(batch.map(() => spec.prompt));
  const renders = captions.map((caption, at) => {
    return pipeline.start({ ...spec, seed: BigInt(at) }, caption, { loras: batch[at] ?? [] });
  });
  for (let step = 0; step < spec.steps; step += 1) await pipeline.step(renders);
  return await pipeline.decode(renders);
}

const draw = (seed: number, loras: LoraStack): Promise<Pixels> =>
  pipeline.render({ ...spec, seed: BigInt(seed) }, { loras });

describe("pictures with adapters", () => {
  test("have in a mixed batch the bytes they have alone", async () => {
    const together = await drawTogether(stacks);

    const alone = [];
    for (const [seed, stack] of stacks.entries()) alone.push(await draw(seed, stack));
    expect(together).toEqual(alone);
  });

  test("differ from the bare model's, and from each other by stack", async () => {
    const pictures = [];
    for (const stack of stacks) pictures.push((await draw(7, stack)).data.toString());

    expect(new Set(pictures).size).toBe(stacks.length);
  });

  test("leave no trace: the bare model draws the same bytes after a hundred swaps", async () => {
    const before = await draw(7, []);
    for (let swap = 0; swap < 100; swap += 1) {
      const [caption] = await pipeline.encodePrompts([spec.prompt]);
      if (caption === undefined) throw new RangeError("no caption");
      const loras = stacks[1 + (swap % 3)] ?? [];
      await pipeline.step([pipeline.start({ ...spec, width: 32, height: 32 }, caption, { loras })]);
    }

    expect(await draw(7, [])).toEqual(before);
  });

  test.each([
    ["loras", 5, 1],
    ["loras[0].strength", 1, 2.01],
    ["loras[0].strength", 1, Number.NaN],
  ])(
    "are refused with the name %s outside the bounds of a stack",
    async (field, count, strength) => {
      const adapter = stacks[1]?.[0]?.adapter ?? tinyAdapter("none", []);
      const loras = Array.from({ length: count }, () => ({ adapter, strength }));

      await expect(draw(7, loras)).rejects.toMatchObject({ code: "INPUT_INVALID", field });
    },
  );
});
