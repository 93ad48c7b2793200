/**
 * A bulk job comes and goes: the farm grows from nothing to all the workers that it may have, draws
 * everything, and shrinks to nothing again while the last, long pictures are still being drawn.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { limits, OutcomeKind } from "@zfarm/contract";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import type { MirrorCounts } from "./mirror.ts";
import { type MirroredFarm, podPrefix } from "./mirrored-farm.ts";
import { type ScaleFigures, ScaleMeter } from "./scale-meter.ts";

export interface ScaleRound {
  readonly workers: number;
  /** Pictures that the bulk has for each of them. */
  readonly tasksPerWorker: number;
  readonly withinMs: number;
  /** Told of every look at the pods. */
  readonly onLook?: (counts: MirrorCounts) => void;
}

export interface ScaleResult {
  readonly tasks: number;
  /** Tasks that have a picture, and outcomes in all: the same where each was drawn once. */
  readonly drawn: number;
  readonly outcomes: number;
  readonly pods: MirrorCounts;
  /** Of the newest scheduler while all workers are there, and those of them that name a worker. */
  readonly metrics: { readonly lines: number; readonly ofWorkers: number };
  readonly figures: ScaleFigures;
}

const lookEveryMs = 500;
const steps = { most: 8, last: 40 };

export async function runScaleRound(on: MirroredFarm, round: ScaleRound): Promise<ScaleResult> {
  const { workers, tasksPerWorker, withinMs, onLook } = round;
  const tasks = workers * tasksPerWorker;
  const meter = await ScaleMeter.begin(on);
  const until = (what: string, holds: (counts: MirrorCounts) => boolean) =>
    waitUntil(what, withinMs, async () => {
      await sleep(lookEveryMs);
      await meter.look();
      const counts = await on.counts();
      onLook?.(counts);
      return holds(counts);
    });
  const load = new Load(on);
  await load.add(tasks, Math.ceil(workers / 10));
  await until("every worker is there", (counts) => counts.workers === workers);
  await meter.end("up");
  const metrics = await countMetrics(on);
  await until("everything is drawn", () => load.left === 0);
  await meter.end("work");
  await until("no worker is left", (counts) => counts.workers === 0);
  await meter.end("down");
  const stored = await on.storedOutcomes();
  const drawn = stored.filter(({ kind }) => kind === OutcomeKind.SUCCEEDED);
  return {
    tasks,
    drawn: new Set(drawn.map(({ spec }) => `${spec?.job}/${spec?.index}`)).size,
    outcomes: stored.length,
    pods: await on.counts(),
    metrics,
    figures: await meter.figures(),
  };
}

/** Jobs of as many pictures as a job may have, and what is left of them. */
class Load {
  readonly #on: MirroredFarm;
  left = 0;

  constructor(on: MirroredFarm) {
    this.#on = on;
  }

  /** Of which the last ones are long. */
  async add(tasks: number, longOnes: number): Promise<void> {
    const images = Array.from({ length: tasks }, (_, index) => ({
      prompt: `boat ${index}`,
      seed: BigInt(index),
      steps: index < tasks - longOnes ? steps.most : steps.last,
    }));
    this.left += tasks;
    for (let from = 0; from < tasks; from += limits.tasksPerJobMax) {
      const part = images.slice(from, from + limits.tasksPerJobMax);
      const { name } = await this.#on.client.createJob({ images: part });
      void this.#watch(name);
    }
  }

  async #watch(job: string): Promise<void> {
    for await (const { event } of this.#on.client.watchJob(job)) {
      if (event?.$case === "taskEnded") this.left -= 1;
    }
  }
}

async function countMetrics({ schedulers }: MirroredFarm): Promise<ScaleResult["metrics"]> {
  const newest = schedulers.at(-1);
  const port = (await newest?.line("ops server listens"))?.["port"];
  const answer = await fetch(`http://127.0.0.1:${String(port)}/metrics`);
  const lines = (await answer.text()).split("\n").filter((line) => /^[a-z]/.test(line));
  const ofWorkers = lines.filter((line) => line.includes(`"${podPrefix}`)).length;
  return { lines: lines.length, ofWorkers };
}
