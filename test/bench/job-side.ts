/** What both sides of the throughput bench can do, and how both are measured. */
import { setTimeout as wait } from "node:timers/promises";
import { type Percentiles, percentiles } from "./percentiles.ts";

/** A system that takes batches of no-op pictures and says when each of them is done. */
export interface JobSide {
  /** Submits pictures; `onDone` is called once for each whose stored result its client can see. */
  submit(prompts: readonly string[], onDone: () => void): Promise<void>;
  /** Processor seconds that each of its processes has used so far; the client is not its own. */
  cpuSeconds(): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
}

/** One round of one side. */
export interface RoundFigures {
  readonly drainPerSecond: number;
  /** Processor time of each process for one picture of the drain, microseconds. */
  readonly drainCpuUs: Readonly<Record<string, number>>;
  readonly pacedPerSecond: number;
  readonly submitToOutcomeMs: Percentiles;
}

export interface Load {
  readonly drainBatches: number;
  readonly drainBatchSize: number;
  /** Batches on their way in at one time. */
  readonly submitParallel: number;
  readonly pacedBatchSize: number;
  readonly pacedEveryMs: number;
  readonly pacedMs: number;
}

/**
 * Code that is new is interpreted, then compiled beside the work: some ten thousand pictures pass
 * before that is over.
 */
export async function warmUp(side: JobSide, load: Load): Promise<void> {
  for (let round = 0; round < 2; round += 1) await drain(side, load);
}

export async function measureRound(side: JobSide, load: Load): Promise<RoundFigures> {
  const cpuBefore = await cpuOf(side);
  const drainPerSecond = await drain(side, load);
  const cpuAfter = await cpuOf(side);
  const total = load.drainBatches * load.drainBatchSize;
  const drainCpuUs = Object.fromEntries(
    Object.entries(cpuAfter).map(([name, seconds]) => {
      return [name, Math.round(((seconds - (cpuBefore[name] ?? 0)) / total) * 1e6)];
    }),
  );
  return { drainPerSecond, drainCpuUs, ...(await pace(side, load)) };
}

async function cpuOf(side: JobSide): Promise<Readonly<Record<string, number>>> {
  const { user, system } = process.cpuUsage();
  return { client: (user + system) / 1e6, ...(await side.cpuSeconds()) };
}

/** From the first submit to the last outcome. */
async function drain(side: JobSide, load: Load): Promise<number> {
  const total = load.drainBatches * load.drainBatchSize;
  const { onDone, all } = countDone(total);
  const startMs = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < load.drainBatches) {
      next += 1;
      await side.submit(promptsOf(next, load.drainBatchSize), onDone);
    }
  };
  await Promise.all(Array.from({ length: load.submitParallel }, lane));
  await all;
  return Math.round(total / ((performance.now() - startMs) / 1_000));
}

/** A batch now and then, whatever became of the ones before it. */
async function pace(
  side: JobSide,
  load: Load,
): Promise<Omit<RoundFigures, "drainPerSecond" | "drainCpuUs">> {
  const batches = Math.round(load.pacedMs / load.pacedEveryMs);
  const done = countDone(batches * load.pacedBatchSize);
  const times: number[] = [];
  const submitting: Promise<void>[] = [];
  const startMs = performance.now();
  for (let batch = 0; batch < batches; batch += 1) {
    await wait(Math.max(0, startMs + batch * load.pacedEveryMs - performance.now()));
    const sentMs = performance.now();
    const prompts = promptsOf(batch, load.pacedBatchSize);
    submitting.push(
      side.submit(prompts, () => {
        times.push(performance.now() - sentMs);
        done.onDone();
      }),
    );
  }
  const seconds = (performance.now() - startMs) / 1_000;
  await Promise.all(submitting);
  await done.all;
  return {
    pacedPerSecond: Math.round((batches * load.pacedBatchSize) / seconds),
    submitToOutcomeMs: percentiles(times),
  };
}

function countDone(total: number): { onDone: () => void; all: Promise<void> } {
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let left = total;
  const onDone = (): void => {
    left -= 1;
    if (left === 0) resolve();
  };
  return { onDone, all };
}

function promptsOf(batch: number, size: number): string[] {
  return Array.from({ length: size }, (_, index) => `a yellow boat at sunset, ${batch} ${index}`);
}
