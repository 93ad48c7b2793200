/**
 * The pure core alone: how many decisions a second with a deep backlog, what a queued task costs
 * in memory, how long one step takes, and how that grows from ten thousand to a million tasks.
 * The baseline of the same run is the same farm with the smaller backlog.
 */
import {
  type JobId,
  OutcomeKind,
  type PoolId,
  type ProjectId,
  type QueuedTask,
  type TaskSpec,
  taskIdOf,
  type WorkerId,
} from "@zfarm/contract";
import { Scheduler } from "../../services/scheduler/src/domain/scheduler.ts";
import type { Grant } from "../../services/scheduler/src/domain/scheduler-effect.ts";
import { type Percentiles, percentiles } from "./percentiles.ts";

const projects = 500;
const workers = 10_000;
const tasksPerJob = 200;
const rounds = 30_000;
const slots = 4;
const startAt = 1_700_000_000_000;
const shapes = [512, 768, 1_024] as const;
/** As long as prompts usually are; memory is measured with a text of its own for each task. */
const prompt = "a photorealistic harbour at dusk, fishing boats, warm lamps, ";

interface CoreFigures {
  readonly queuedTasks: number;
  readonly decisionsPerSecond: number;
  readonly eventsPerSecond: number;
  /** Microseconds of one step. */
  readonly stepUs: Percentiles;
  readonly bytesPerQueuedTask: number;
  readonly storeUsPerTask: number;
}

export async function benchCore(): Promise<object> {
  // Once unmeasured, so that both runs find compiled code.
  runBacklog(2_000);
  const small = runBacklog(10_000);
  report(small);
  const large = runBacklog(1_000_000);
  report(large);
  const growth = small.decisionsPerSecond / large.decisionsPerSecond;
  const logarithmic = Math.log(large.queuedTasks) / Math.log(small.queuedTasks);
  const bytesPerOneTaskJob = measureOneTaskJobs(200_000);
  const growths = { costGrowth: growth, logarithmicGrowth: logarithmic };
  return { workers, projects, small, large, ...growths, bytesPerOneTaskJob };
}

/** A job of one task has its lot to itself: what such a task costs in memory. */
function measureOneTaskJobs(tasks: number): number {
  const farm = new BenchFarm(1);
  const before = memoryInUse();
  for (let index = 0; index < tasks; index += 1) farm.store();
  const bytes = Math.round((memoryInUse() - before) / tasks);
  // Used once more, so that it is there while its memory is looked at.
  farm.meetWorkers();
  return bytes;
}

function report(figures: CoreFigures): void {
  process.stderr.write(`  ${JSON.stringify(figures)}\n`);
}

function runBacklog(queuedTasks: number): CoreFigures {
  const farm = new BenchFarm();
  const before = memoryInUse();
  const storeStarted = performance.now();
  for (let index = 0; index < queuedTasks; index += 1) farm.store();
  const storeMs = performance.now() - storeStarted;
  const bytesPerQueuedTask = Math.round((memoryInUse() - before) / queuedTasks);
  farm.meetWorkers();
  const figures = farm.work();
  return {
    queuedTasks,
    ...figures,
    bytesPerQueuedTask,
    storeUsPerTask: Math.round((storeMs / queuedTasks) * 10_000) / 10,
  };
}

class BenchFarm {
  readonly #scheduler = new Scheduler(1n);
  readonly #stepUs: number[] = [];
  #now = startAt;
  #stored = 0;
  #decisions = 0;
  #asks = 0;
  readonly #tasksPerJob: number;

  constructor(perJob = tasksPerJob) {
    this.#tasksPerJob = perJob;
    this.#scheduler.step({ kind: "rebuilt" }, this.#now);
  }

  store(): void {
    const task = taskNumber(this.#stored, this.#tasksPerJob);
    this.#stored += 1;
    const revision = BigInt(this.#stored);
    this.#scheduler.step({ kind: "task-stored", task, revision, isBundled: false }, this.#now);
  }

  /** Every worker sends a heartbeat, so that all of them are in the table. */
  meetWorkers(): void {
    for (let number = 0; number < workers; number += 1) this.#beat(number);
  }

  /** Requests for work, outcomes, heartbeats, and a new task for each one that ends. */
  work(): Omit<CoreFigures, "queuedTasks" | "bytesPerQueuedTask" | "storeUsPerTask"> {
    const started = performance.now();
    let events = 0;
    for (let round = 0; round < rounds; round += 1) {
      this.#now += 1;
      events += this.#serve(round % workers) + 2;
      this.#timed(() => this.#beat((round * 7) % workers));
      if (round % 50 === 0) this.#timed(() => this.#scheduler.step({ kind: "tick" }, this.#now));
    }
    const seconds = (performance.now() - started) / 1_000;
    return {
      decisionsPerSecond: Math.round(this.#decisions / seconds),
      eventsPerSecond: Math.round(events / seconds),
      stepUs: percentiles(this.#stepUs),
    };
  }

  #serve(number: number): number {
    this.#asks += 1;
    const effects = this.#timed(() => this.#scheduler.step(askOf(number, this.#asks), this.#now));
    const grant = effects.find((effect): effect is Grant => effect.kind === "grant");
    const leases = grant?.leases ?? [];
    this.#decisions += leases.length;
    for (const { spec, fence } of leases) {
      if (spec === undefined) continue;
      this.#timed(() => this.#end(spec, { fence, worker: workerId(number) }));
      this.#timed(() => this.store());
    }
    return leases.length * 2;
  }

  #end(spec: TaskSpec, by: { fence: bigint; worker: WorkerId }): void {
    const device = { seconds: 0n, nanos: 250_000_000 };
    const image = {
      key: "",
      sha256: "",
      sizeBytes: 1n,
      mediaType: "",
      modelDigest: "",
      timings: { device },
    };
    const { SUCCEEDED: kind } = OutcomeKind;
    const outcome = { spec, kind, image, worker: by.worker, fence: by.fence, attempt: 1 };
    this.#scheduler.step({ kind: "outcome-seen", id: taskIdOf(spec), outcome }, this.#now);
  }

  #beat(number: number): void {
    const worker = workerId(number);
    const info = {
      name: `workers/${worker}`,
      pool: "default",
      state: 2,
      device: "cuda:0",
      model: "z-image-turbo",
      modelDigest: "00",
      slots,
      running: 0,
    } as const;
    const pool = "default" as PoolId;
    const event = { kind: "beat-heard", worker, pool, info, running: [] } as const;
    this.#scheduler.step(event, this.#now);
  }

  #timed<Result>(run: () => Result): Result {
    const started = performance.now();
    const result = run();
    this.#stepUs.push((performance.now() - started) * 1_000);
    return result;
  }
}

/** Jobs of one project follow each other; projects take turns job by job. */
function taskNumber(count: number, perJob: number): QueuedTask {
  const job = Math.floor(count / perJob);
  const width = shapes[job % shapes.length] ?? 512;
  const spec: TaskSpec = {
    project: `p${job % projects}` as ProjectId,
    job: `j${job}` as JobId,
    index: count % perJob,
    pool: "default",
    image: {
      prompt: `${prompt}${count}`,
      width,
      height: 512,
      steps: 8,
      seed: BigInt(count),
      loras: [],
    },
    createTime: new Date(startAt),
    expireTime: undefined,
  };
  return { spec, attempts: 0 };
}

function askOf(number: number, ask: number): Parameters<Scheduler["step"]>[0] {
  const pool = "default" as PoolId;
  const who = { worker: workerId(number), pool, epochSeen: 1n, running: [] };
  return { kind: "work-asked", ask, slotsFree: slots, ...who };
}

function workerId(number: number): WorkerId {
  return `w${number}` as WorkerId;
}

/** Heap and buffers after a full collection, where the process allows one. */
function memoryInUse(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
