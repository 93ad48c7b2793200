/**
 * Our step beside diffusers' on this machine, in one run: int4 and int8 against PyTorch in bf16,
 * 256 × 256 pixels, the released widths with made-up weights. All 30 layers take 13 GB there.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expectedTransformerTensors, type PreparedMode, releasedTransformer } from "@zfarm/zimage";
import { installReference } from "../../../tools/certify/reference.ts";
import type { EngineBench } from "../engine.ts";
import { median } from "../percentiles.ts";
import { writeMadeUpWeights } from "./made-up-weights.ts";
import type { StepsAnswer, StepsRequest } from "./steps-process.ts";
import { round } from "./stopwatch.ts";
import { runWatched } from "./watched-process.ts";

const steps = 4;

interface ReferenceAnswer {
  readonly torch: string;
  readonly seconds: readonly number[];
  readonly coreSeconds: readonly number[];
}

export async function benchReference(bench: EngineBench): Promise<object> {
  const { threads, layers } = bench;
  const python = await installReference((text) => process.stderr.write(`  ${text}\n`));
  const say = (name: string, took: object): void =>
    void process.stderr.write(`  ${name}: ${JSON.stringify(took)}\n`);
  const int4 = await stepsOf("int4", bench);
  say("int4", int4);
  const script = fileURLToPath(new URL("./reference-step.py", import.meta.url));
  const args = [script, `${threads}`, `${steps}`, `${layers}`];
  const { stdout } = await promisify(execFile)(python, args);
  const reference = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as ReferenceAnswer;
  say("torch", reference);
  const int8 = await stepsOf("int8", bench);
  say("int8", int8);
  const [theirs, theirCores] = [steady(reference.seconds), steady(reference.coreSeconds)];
  return {
    torch: reference.torch,
    layers,
    secondsPerStep: { torchBf16: theirs, int4: int4.seconds, int8: int8.seconds },
    coreSecondsPerStep: { torchBf16: theirCores, int4: int4.cores, int8: int8.cores },
    int4OverTorch: round(int4.seconds / theirs),
    int8OverTorch: round(int8.seconds / theirs),
    int4OverTorchInCores: round(int4.cores / theirCores),
    int8OverTorchInCores: round(int8.cores / theirCores),
  };
}

/** The first step fills caches and arenas. */
function steady(values: readonly number[]): number {
  return median(values.slice(1));
}

async function stepsOf(
  mode: PreparedMode,
  { threads, layers }: EngineBench,
): Promise<{ readonly seconds: number; readonly cores: number }> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const config = { ...releasedTransformer, layers };
    await writeMadeUpWeights(folder, expectedTransformerTensors(config).required, mode);
    const request: StepsRequest = { folder, config, threads, steps };
    const { answer } = await runWatched<StepsAnswer>("./steps-process.ts", request);
    return {
      seconds: steady(answer.steps.map(({ seconds }) => seconds)),
      cores: steady(answer.steps.map(({ coreSeconds }) => coreSeconds)),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
