/** Times a real model's stages, so that its costs can be played through in virtual time. */
import type { Model } from "../../../services/gpu-worker/src/engine/model.ts";
import type { RenderTask } from "../../../services/gpu-worker/src/engine/protocol.ts";
import type { Costs } from "./cost-model.ts";

const rounds = 12;

/**
 * The fastest of several rounds each, in turn: what else the machine does only ever slows. Batches
 * have 1 to `batchMax` pictures.
 */
export async function measureCosts<Caption, Render>(
  model: Model<Caption, Render>,
  sides: readonly number[],
  batchMax: number,
): Promise<Costs> {
  const stepMs: Record<number, number[]> = {};
  const decodeMs: Record<number, number> = {};
  let encodePromptMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const prompt = `a red house number ${round}`;
    let captions: Caption[] = [];
    const encodedMs = await time(async () => {
      captions = await model.encodePrompts([taskOf(prompt, 128, 8)]);
    });
    encodePromptMs = Math.min(encodePromptMs, encodedMs);
    for (const side of sides) {
      const start = (steps: number): Render[] =>
        captions.map((caption) => model.start(taskOf(prompt, side, steps), caption));
      const runs = (stepMs[side] ??= Array<number>(batchMax).fill(Number.POSITIVE_INFINITY));
      for (let pictures = 1; pictures <= batchMax; pictures += 1) {
        const batch = Array.from({ length: pictures }, () => start(8)).flat();
        const tookMs = await time(() => model.step(batch));
        runs[pictures - 1] = Math.min(runs[pictures - 1] ?? tookMs, tookMs);
      }
      const [done] = start(1);
      if (done === undefined) continue;
      await model.step([done]);
      const tookMs = await time(() => model.decode(done));
      decodeMs[side] = Math.min(decodeMs[side] ?? tookMs, tookMs);
    }
  }
  return { stepMs, decodeMs, encodePromptMs };
}

function taskOf(prompt: string, side: number, steps: number): RenderTask {
  return { task: "0", prompt, width: side, height: side, steps, seed: 1n };
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
