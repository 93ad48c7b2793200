/** One whole picture of the released size: memory, and time per step. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WeightMode } from "@zfarm/zimage";
import type { EngineBench } from "../engine.ts";
import { writeFullSizeModel } from "../full-size-checkpoint.ts";
import { median } from "../percentiles.ts";
import type { PictureAnswer, PictureRequest } from "./picture-process.ts";
import { runWatched } from "./watched-process.ts";

/** What a machine of that size has for the model; the plan has to keep to it. */
const memoryBytes: Readonly<Partial<Record<WeightMode, number>>> = { int4: 4.55e9, int8: 8.5e9 };

export async function benchPicture(weights: WeightMode, bench: EngineBench): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const modelDir = join(folder, "model");
    await writeFullSizeModel(modelDir, { weights });
    const request: PictureRequest = {
      modelDir,
      threads: bench.threads,
      memoryBytes: memoryBytes[weights] ?? 24e9,
      side: 256,
      steps: 8,
    };
    const { answer, ...memory } = await runWatched<PictureAnswer>("./picture-process.ts", request);
    const steps = answer.steps.slice(1);
    return {
      ...memory,
      ...answer,
      secondsPerStep: median(steps.map(({ seconds }) => seconds)),
      coreSecondsPerStep: median(steps.map(({ coreSeconds }) => coreSeconds)),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
