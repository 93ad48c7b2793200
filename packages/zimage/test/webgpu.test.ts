/**
 * WebGPU where there is an adapter: pictures of the model that ships against the processor's. A
 * software adapter will do; docs/measurements/webgpu.md says how one is had.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  findWebGpuProblem,
  type LoraStack,
  openModelDirectory,
  openPipeline,
  openTextEncoder,
  type Pipeline,
  type Pixels,
} from "../src/index.ts";
import { writeTextEncoder } from "./filled-checkpoint.ts";
import { tinyAdapter, tinyTextEncoder } from "./tiny-networks.ts";

const nano = fileURLToPath(new URL("../../../models/z-image-nano", import.meta.url));
const spec = { prompt: "a red house on a green hill", width: 64, height: 64, steps: 4, seed: 3n };
const target = { kind: "webgpu" } as const;
/** Of 255. Measured on a software adapter: 1 at most, in one value of ten thousand. */
const levelsMax = 2;

const problem = await findWebGpuProblem();
if (problem !== undefined) process.stderr.write(`WebGPU is not tested: ${problem}\n`);

function levelsApart(one: Pixels | undefined, other: Pixels | undefined): number {
  if (one === undefined || one.data.length !== other?.data.length) return 255;
  return Math.max(...one.data.map((value, at) => Math.abs(value - (other.data[at] ?? 0))));
}

async function draw(pipeline: Pipeline, stacks: readonly LoraStack[]): Promise<Pixels[]> {
  const captions = await pipeline.encodePrompts(stacks.map(() => spec.prompt));
  const renders = captions.map((caption, at) => {
    return pipeline.start({ ...spec, seed: BigInt(at) }, caption, { loras: stacks[at] ?? [] });
  });
  for (let step = 0; step < spec.steps; step += 1) await pipeline.step(renders);
  return await pipeline.decode(renders);
}

describe.skipIf(problem !== undefined)("WebGPU", () => {
  let processor: Pipeline;
  let webgpu: Pipeline;
  let stacks: LoraStack[];

  beforeAll(async () => {
    const { config } = (await openModelDirectory(nano)).transformer;
    const names = [0, 5].flatMap((layer) =>
      ["attention.to_q", "feed_forward.w2"].map((module) => `layers.${layer}.${module}`),
    );
    const use = (id: string, rank: number) => ({
      adapter: tinyAdapter(id, names, { rank, config }),
      strength: 0.1,
    });
    stacks = [[], [use("warm", 4)], [use("warm", 4), use("cold", 20)]];
    processor = await openPipeline(nano, { threads: 2 });
    webgpu = await openPipeline(nano, { device: "webgpu", memoryBytes: 2 ** 31, sideThreads: 1 });
  }, 120_000);
  afterAll(async () => {
    await webgpu.close();
    await processor.close();
  });

  test("draws what the processor draws, with adapters, after them and together", async () => {
    const wanted = await draw(processor, stacks);
    const together = await draw(webgpu, stacks);
    const again = await draw(webgpu, stacks.slice(0, 1));

    for (const [at, picture] of wanted.entries()) {
      expect(levelsApart(together[at], picture)).toBeLessThanOrEqual(levelsMax);
    }
    expect(levelsApart(again[0], wanted[0])).toBeLessThanOrEqual(levelsMax);
    expect(levelsApart(wanted[0], wanted[2])).toBeGreaterThan(levelsMax);
  }, 300_000);

  test("works on one thread, whatever it is asked for", () => {
    expect(webgpu.worksBeside).toBe(false);
    expect(webgpu.weights).toBe("fp32");
  });

  test("has kernels for all of the text encoder but the lookup in a bfloat16 table", async () => {
    await using checkpoint = await writeTextEncoder(tinyTextEncoder);
    const strict = { target, fallback: false };
    const encoder = await openTextEncoder(tinyTextEncoder, checkpoint.index, strict);
    const [rows] = await encoder.encode([Int32Array.of(1, 2, 3)]);
    await encoder.close();

    expect(rows?.length).toBe(3 * tinyTextEncoder.hidden);
  });
});
