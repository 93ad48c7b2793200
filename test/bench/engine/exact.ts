/** The released bf16 file as it is, on a processor: anonymous memory and time per step. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectedTransformerTensors, releasedTransformer } from "@zfarm/zimage";
import type { EngineBench } from "../engine.ts";
import { median } from "../percentiles.ts";
import { writeMadeUpWeights } from "./made-up-weights.ts";
import type { StepsAnswer, StepsRequest } from "./steps-process.ts";
import { runWatched } from "./watched-process.ts";

export async function benchExact({ threads }: EngineBench): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const shapes = expectedTransformerTensors(releasedTransformer).required;
    const fileBytes = await writeMadeUpWeights(folder, shapes, "bf16");
    const request: StepsRequest = { folder, config: releasedTransformer, threads, steps: 3 };
    const { answer, ...memory } = await runWatched<StepsAnswer>("./steps-process.ts", request);
    return {
      fileGb: fileBytes / 1e9,
      ...memory,
      openSeconds: answer.open.seconds,
      secondsPerStep: median(answer.steps.slice(1).map(({ seconds }) => seconds)),
      coreSecondsPerStep: median(answer.steps.slice(1).map(({ coreSeconds }) => coreSeconds)),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
