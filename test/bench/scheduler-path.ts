/**
 * The whole path of an assignment: a real nats-server, the real scheduler process, and a fleet of
 * simulated workers over the real link. Everything shares the machine, the fleet included.
 */
import type { Broker } from "@zfarm/broker";
import {
  createJobId,
  defaultPool,
  type Lease,
  type QueuedTask,
  type TaskKey,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import { openBenchFarm, type Service } from "./bench-farm.ts";
import { type Percentiles, percentiles } from "./percentiles.ts";
import { type Fleet, startFleet } from "./simulated-fleet.ts";

const backlogTasks = 100_000;
const projects = 500;
const workers = 5_000;
/** Tasks on their way to the broker at once, while the backlog is laid. */
const addParallel = 128;
/** What is fed while capacity is free. */
const ratePerSecond = 2_000;
const rateSeconds = 15;
/** Before that the last outcomes of the drain arrive: until then capacity is not free. */
const restMs = 2_000;
const never = new AbortController().signal;

export interface PathFigures {
  readonly workers: number;
  readonly backlog: { readonly tasks: number; readonly storedPerSecond: number };
  readonly rebuildSeconds: number;
  readonly drain: { readonly assignmentsPerSecond: number; readonly schedulerCores: number };
  readonly free: { readonly perSecond: number; readonly assignMs: Percentiles };
}

export async function benchPath(): Promise<PathFigures> {
  const farm = await openBenchFarm();
  let fleet: Fleet | undefined;
  try {
    const feeder = await farm.connect("feeder");
    const storedPerSecond = await layBacklog(feeder);
    say(`backlog laid, ${storedPerSecond} tasks a second`);

    const scheduler = farm.start("scheduler");
    const rebuildSeconds = Number((await scheduler.line("leading"))["rebuild_ms"]) / 1_000;
    say(`index rebuilt in ${rebuildSeconds} s`);

    const leases = new LeaseBook();
    const broker = await farm.connect("fleet");
    const onLease = (lease: Lease): void => leases.note(lease);
    fleet = startFleet({ broker, workers, slots: 1, onLease });
    const drain = await measureDrain(leases, scheduler);
    say(`drained at ${drain.assignmentsPerSecond} assignments a second`);

    const free = await measureFree(feeder, leases);
    say(`assigned in ${JSON.stringify(free.assignMs)} ms`);
    const backlog = { tasks: backlogTasks, storedPerSecond };
    return { workers, backlog, rebuildSeconds, drain, free };
  } finally {
    await fleet?.stop();
    await farm.stop();
  }
}

/** When each task was granted, as its worker saw it. */
class LeaseBook {
  count = 0;
  readonly #storedAt = new Map<TaskKey, number>();
  readonly assignMs: number[] = [];

  /** The task is sent to the broker now. */
  expect(key: TaskKey): void {
    this.#storedAt.set(key, performance.now());
  }

  note({ spec }: Lease): void {
    this.count += 1;
    const key = spec === undefined ? undefined : taskKey(taskIdOf(spec));
    const storedAt = key === undefined ? undefined : this.#storedAt.get(key);
    if (key === undefined || storedAt === undefined) return;
    this.#storedAt.delete(key);
    this.assignMs.push(performance.now() - storedAt);
  }

  /** Resolves with the time at which so many leases were there. */
  async reached(count: number): Promise<number> {
    while (this.count < count) await systemClock.sleep(1, never);
    return performance.now();
  }
}

/** One-task jobs: the most that there is to look up in a rebuild. */
async function layBacklog(feeder: Broker): Promise<number> {
  const startMs = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < backlogTasks) {
      next += 1;
      await feeder.queue.add(buildTask(next));
    }
  };
  await Promise.all(Array.from({ length: addParallel }, lane));
  return Math.round(backlogTasks / ((performance.now() - startMs) / 1_000));
}

/** Between a tenth and nine tenths, so that neither start nor end counts. */
async function measureDrain(leases: LeaseBook, scheduler: Service): Promise<PathFigures["drain"]> {
  const startMs = await leases.reached(backlogTasks * 0.1);
  const cpuBefore = await scheduler.cpuSeconds();
  const endMs = await leases.reached(backlogTasks * 0.9);
  const seconds = (endMs - startMs) / 1_000;
  const cpu = (await scheduler.cpuSeconds()) - cpuBefore;
  await leases.reached(backlogTasks);
  return {
    assignmentsPerSecond: Math.round((backlogTasks * 0.8) / seconds),
    schedulerCores: Math.round((cpu / seconds) * 100) / 100,
  };
}

/** From the moment a task is sent to QUEUE to the moment its worker has the lease. */
async function measureFree(feeder: Broker, leases: LeaseBook): Promise<PathFigures["free"]> {
  await systemClock.sleep(restMs, never);
  const total = ratePerSecond * rateSeconds;
  const startMs = performance.now();
  const adding: Promise<unknown>[] = [];
  while (adding.length < total) {
    const due = ((performance.now() - startMs) / 1_000) * ratePerSecond;
    while (adding.length < Math.min(due, total)) {
      const task = buildTask(backlogTasks + adding.length + 1);
      if (task.spec !== undefined) leases.expect(taskKey(taskIdOf(task.spec)));
      adding.push(feeder.queue.add(task));
    }
    await systemClock.sleep(2, never);
  }
  await Promise.all(adding);
  const fedSeconds = (performance.now() - startMs) / 1_000;
  await leases.reached(backlogTasks + total);
  return {
    perSecond: Math.round(total / fedSeconds),
    assignMs: percentiles(leases.assignMs),
  };
}

/** A task of a job of its own, of one of many projects. */
export function buildTask(count: number): QueuedTask {
  return {
    spec: {
      project: `project-${count % projects}`,
      job: createJobId(),
      index: 0,
      pool: defaultPool,
      image: {
        prompt: `boat ${count}`,
        width: 256,
        height: 256,
        steps: 8,
        seed: BigInt(count),
        loras: [],
      },
      createTime: new Date(),
    },
    attempts: 0,
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
