/**
 * No-op pictures from submit to stored outcome, through the whole farm and through BullMQ on
 * Redis, one after the other on one machine in one run: `npm run bench:throughput` prints one JSON
 * object as its last line. Both sides keep their results and write them to disk about once a
 * second or less; both have the same payload, the same concurrency and a worker process of their
 * own.
 */
import { parseArgs } from "node:util";
import { findRedis, openBullMqSide } from "./bullmq-side.mjs";
import { openFarmSide } from "./farm-side.ts";
import { type JobSide, type Load, measureSide, type SideFigures } from "./job-side.ts";

const concurrency = 50;
const load: Load = {
  drainBatches: 60,
  drainBatchSize: 500,
  submitParallel: 4,
  pacedBatchSize: 20,
  pacedEveryMs: 20,
  pacedMs: 5_000,
};

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const redis = values.only === "farm" ? undefined : await findRedis();
  const bullmq = redis && (await measure("bullmq", () => openBullMqSide(redis, concurrency)));
  const farm =
    values.only === "bullmq" ? undefined : await measure("farm", () => openFarmSide(concurrency));
  const ratio = farm &&
    bullmq && {
      drain: round(farm.drainPerSecond / bullmq.drainPerSecond),
      p50: round(farm.submitToOutcomeMs.p50 / bullmq.submitToOutcomeMs.p50),
    };
  process.stdout.write(`${JSON.stringify({ concurrency, load, farm, bullmq, ratio })}\n`);
}

async function measure(name: string, open: () => Promise<JobSide>): Promise<SideFigures> {
  const side = await open();
  try {
    const figures = await measureSide(side, load);
    process.stderr.write(`${name}: ${JSON.stringify(figures)}\n`);
    return figures;
  } finally {
    await side.stop();
  }
}

function round(ratio: number): number {
  return Math.round(ratio * 100) / 100;
}

await main();
