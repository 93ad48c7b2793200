/** Runs the same arrivals through the engine's loop and through whole batches; tells the ratios. */
import type { Model } from "../../../services/gpu-worker/src/engine/model.ts";
import { RenderLoop } from "../../../services/gpu-worker/src/engine/render-loop.ts";
import { type BenchClock, type CreateLoop, type Driven, drive } from "./drive.ts";
import { type Filling, WholeBatches } from "./whole-batches.ts";
import { type Arrival, arrivalsOf, type Picture } from "./workload.ts";

export interface Comparison<Caption, Render> {
  /** A new model and clock for every run, or the same where they are real. */
  readonly open: () => { readonly model: Model<Caption, Render>; readonly clock: BenchClock };
  readonly mix: readonly Picture[];
  readonly batchMax: number;
  /** Part of what whole batches can do at most. */
  readonly load: number;
  /** Pictures of one run, and runs with other arrivals. */
  readonly pictures: number;
  readonly rounds: number;
}

export interface Latencies {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Result {
  readonly picturesPerSecond: number;
  readonly engine: Latencies;
  readonly whole: Latencies;
  /** The engine's latency as a part of that of whole batches. */
  readonly ratio: { readonly mean: number; readonly p50: number; readonly p99: number };
}

export const engineLoop: CreateLoop = ({ model, clock, batchMax, ended }) =>
  new RenderLoop({
    model,
    clock,
    batchMax,
    send: async (event) => {
      if (event.kind === "ended") ended(event.task);
    },
  });

const wholeBatches =
  (filling: Filling): CreateLoop =>
  (needs) =>
    new WholeBatches(needs, filling);

export async function compare<Caption, Render>(
  comparison: Comparison<Caption, Render>,
  filling: Filling,
): Promise<Result> {
  const { open, mix, batchMax, load, pictures, rounds } = comparison;
  const run = (loop: CreateLoop, arrivals: readonly Arrival[]): Promise<Driven> =>
    drive(loop, { ...open(), batchMax, arrivals });
  const flood = arrivalsOf({ mix, count: pictures, gapMs: 0, seed: 1 });
  // A real model is warm before anything is timed.
  await run(engineLoop, flood.slice(0, 8));
  const { spanMs } = await run(wholeBatches(filling), flood);
  const gapMs = spanMs / pictures / load;
  const engineMs: number[] = [];
  const wholeMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const arrivals = arrivalsOf({ mix, count: pictures, gapMs, seed: 100 + round });
    wholeMs.push(...(await run(wholeBatches(filling), arrivals)).latenciesMs);
    engineMs.push(...(await run(engineLoop, arrivals)).latenciesMs);
  }
  const [ours, theirs] = [summarize(engineMs), summarize(wholeMs)];
  const ratio = {
    mean: share(ours.meanMs, theirs.meanMs),
    p50: share(ours.p50Ms, theirs.p50Ms),
    p99: share(ours.p99Ms, theirs.p99Ms),
  };
  return { picturesPerSecond: round3(1_000 / gapMs), engine: ours, whole: theirs, ratio };
}

function summarize(latenciesMs: readonly number[]): Latencies {
  const sorted = Float64Array.from(latenciesMs).toSorted();
  const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
  const meanMs = sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length;
  return { meanMs: round3(meanMs), p50Ms: round3(at(0.5)), p99Ms: round3(at(0.99)) };
}

function share(part: number, whole: number): number {
  return round3(part / whole);
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
