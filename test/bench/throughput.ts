/**
 * No-op pictures from submit to stored outcome, through the whole farm and through BullMQ on
 * Redis, in turn on one machine in one run: `npm run bench:throughput [-- --rounds N]` prints one
 * JSON object as its last line; figures are medians over the rounds, ratios are farm to BullMQ.
 * Both sides keep their results, write them to disk about once a second or less, and have the
 * same payload, the same concurrency and a worker process of their own.
 */
import { parseArgs } from "node:util";
import { readCpuSeconds } from "./bench-farm.ts";
import { findRedis, openBullMqSide } from "./bullmq-side.mjs";
import { openFarmSide } from "./farm-side.ts";
import { type JobSide, type Load, measureRound, type RoundFigures, warmUp } from "./job-side.ts";
import { median } from "./percentiles.ts";

const concurrency = 50;
const load: Load = {
  drainBatches: 40,
  drainBatchSize: 500,
  submitParallel: 4,
  pacedBatchSize: 20,
  pacedEveryMs: 20,
  pacedMs: 5_000,
};

interface Measured {
  readonly name: string;
  readonly side: JobSide;
  readonly rounds: RoundFigures[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "3" }, only: { type: "string" } },
  });
  const sides = await openSides(values.only);
  try {
    for (const { side } of sides) await warmUp(side, load);
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const { name, side, rounds } of sides) {
        const figures = await measureRound(side, load);
        process.stderr.write(`${name}: ${JSON.stringify(figures)}\n`);
        rounds.push(figures);
      }
    }
  } finally {
    for (const { side } of sides) await side.stop();
  }
  const figures = Object.fromEntries(sides.map(({ name, rounds }) => [name, summary(rounds)]));
  const { farm, bullmq } = figures;
  const ratio = farm &&
    bullmq && {
      drain: round(farm.drainPerSecond / bullmq.drainPerSecond),
      p50: round(farm.p50Ms / bullmq.p50Ms),
    };
  process.stdout.write(`${JSON.stringify({ concurrency, load, ...figures, ratio })}\n`);
}

async function openSides(only: string | undefined): Promise<Measured[]> {
  const sides: Measured[] = [];
  const redis = only === "farm" ? undefined : await findRedis();
  if (redis !== undefined) {
    const side = await openBullMqSide(redis, concurrency, readCpuSeconds);
    sides.push({ name: "bullmq", side, rounds: [] });
  }
  if (only !== "bullmq") {
    sides.push({ name: "farm", side: await openFarmSide(concurrency), rounds: [] });
  }
  return sides;
}

function summary(rounds: readonly RoundFigures[]) {
  return {
    drainPerSecond: median(rounds.map(({ drainPerSecond }) => drainPerSecond)),
    pacedPerSecond: median(rounds.map(({ pacedPerSecond }) => pacedPerSecond)),
    p50Ms: median(rounds.map(({ submitToOutcomeMs }) => submitToOutcomeMs.p50)),
    p99Ms: median(rounds.map(({ submitToOutcomeMs }) => submitToOutcomeMs.p99)),
    drainCpuUs: medianCpu(rounds),
  };
}

function medianCpu(rounds: readonly RoundFigures[]): Record<string, number> {
  const names = Object.keys(rounds[0]?.drainCpuUs ?? {});
  const cpuOf = (name: string): number =>
    median(rounds.map(({ drainCpuUs }) => drainCpuUs[name] ?? Number.NaN));
  return Object.fromEntries(names.map((name) => [name, cpuOf(name)]));
}

function round(ratio: number): number {
  return Math.round(ratio * 100) / 100;
}

await main();
