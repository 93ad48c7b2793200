/**
 * What step-level batching is worth: mean, median and p99 latency under Poisson load, as a part of
 * those of batches that run to their end, on the same arrivals in one run.
 * `npm run bench:batching [-- --pictures N --rounds N --real N]`; JSON is its last line.
 *
 * Both loops run over the costs of a model in virtual time, so that nothing else on the machine
 * has a say and many arrivals take seconds. nano: the model that ships, its costs measured at the
 * start of this run. released-cpu: measured costs of the released model's graph in int4 on two
 * cores, where a batch takes as long as its pictures one by one. gpu: assumed ones, where a run of
 * small pictures costs about as much at all as for one of them. With --real N, nano also draws so
 * many pictures a round in real time, which says something on an idle machine only.
 *
 * Load is 80 % of what whole batches can do. in-order: a batch takes its tasks from the head of
 * the queue; grouped: whatever the whole queue holds of the head's shape, which no engine sees.
 * overlap: a flood of pictures with prompts and pictures worked on between the steps (0), or on a
 * thread beside them whose runs have so many threads, in real time and in turn.
 * loopLag: how late the worker's own event loop is while its engine renders.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "@zfarm/runtime";
import { openZImageModel } from "../../services/gpu-worker/src/engine/zimage-model.ts";
import { repositoryRoot } from "../repository.ts";
import { type Comparison, compare, type Result } from "./batching/compare.ts";
import {
  type CostRender,
  type Costs,
  createCostModel,
  runsOf,
  VirtualClock,
} from "./batching/cost-model.ts";
import { measureLoopLag } from "./batching/loop-lag.ts";
import { measureCosts } from "./batching/measure-costs.ts";
import { measureOverlap } from "./batching/measure-overlap.ts";
import type { Picture } from "./batching/workload.ts";

const modelDir = join(repositoryRoot, "models/z-image-nano");
const load = 0.8;
const batchMax = 4;

/** Half of the pictures are usual ones; others are small, quick or slow. */
const mixOf = (side: number, other: number): readonly Picture[] => [
  { side, steps: 8, share: 0.5 },
  { side: other, steps: 8, share: 0.2 },
  { side, steps: 4, share: 0.15 },
  { side, steps: 20, share: 0.15 },
];

const releasedCpu: Costs = {
  stepMs: { 128: runsOf(20, 260, batchMax), 256: runsOf(20, 700, batchMax) },
  decodeMs: { 128: 470, 256: 1_850 },
  encodePromptMs: 1_000,
};
const gpu: Costs = {
  stepMs: { 512: runsOf(15, 15, batchMax), 1_024: runsOf(15, 70, batchMax) },
  decodeMs: { 512: 20, 1_024: 80 },
  encodePromptMs: 15,
};

type Rounds = Pick<Comparison<unknown, unknown>, "pictures" | "rounds">;

async function compareCosts(
  costs: Costs,
  mix: readonly Picture[],
  rounds: Rounds,
): Promise<Record<string, Result>> {
  const open = () => {
    const clock = new VirtualClock();
    return { model: createCostModel(costs, clock), clock };
  };
  return await compareBoth<string, CostRender>({ open, mix, batchMax, load, ...rounds });
}

async function compareBoth<Caption, Render>(
  comparison: Comparison<Caption, Render>,
): Promise<Record<string, Result>> {
  return {
    inOrder: await compare(comparison, "in-order"),
    grouped: await compare(comparison, "grouped"),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pictures: { type: "string", default: "2000" },
      rounds: { type: "string", default: "8" },
      real: { type: "string", default: "0" },
    },
  });
  const rounds = { pictures: Number(values.pictures), rounds: Number(values.rounds) };
  const model = await openZImageModel({ modelDir, device: "cpu", batchMax });
  const nano = await measureCosts(model, [128, 256], batchMax);
  const results: Record<string, Record<string, Result>> = {
    nano: await compareCosts(nano, mixOf(256, 128), rounds),
    releasedCpu: await compareCosts(releasedCpu, mixOf(256, 128), rounds),
    gpu: await compareCosts(gpu, mixOf(512, 1_024), rounds),
  };
  if (values.real !== "0") {
    const open = () => ({ model, clock: systemClock });
    const real = { pictures: Number(values.real), rounds: rounds.rounds };
    results["nanoReal"] = await compareBoth({
      open,
      mix: mixOf(256, 128),
      batchMax,
      load,
      ...real,
    });
  }
  await model.close();
  const overlap = await measureOverlap(modelDir, { mix: mixOf(256, 128), batchMax });
  const loopLag = await measureLoopLag(modelDir, 40);
  const conditions = { load, batchMax, cores: availableParallelism(), ...rounds, nano };
  for (const [name, result] of Object.entries(results)) {
    process.stderr.write(`${name}: ${JSON.stringify(result, undefined, 1)}\n`);
  }
  process.stdout.write(`${JSON.stringify({ conditions, results, overlap, loopLag })}\n`);
}

await main();
