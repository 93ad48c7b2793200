/** The product's own scheduler as a policy, told what its shell would tell it. */
import {
  defaultPool,
  type Lease,
  type LeasedTask,
  type Outcome,
  OutcomeKind,
  type Shelf,
  ShelfTier,
  type TaskSpec,
  taskIdOf,
  taskKey,
  type WorkerId,
  WorkerState,
} from "@zfarm/contract";
import { Scheduler } from "../../../services/scheduler/src/domain/scheduler.ts";
import type { SchedulerEffect } from "../../../services/scheduler/src/domain/scheduler-effect.ts";
import type { SchedulerEvent } from "../../../services/scheduler/src/domain/scheduler-event.ts";
import type { Decision, Policy, SimulatedWorker } from "./simulate.ts";
import { type Adapter, adapterBytes, adapterOf, type SimulatedTask } from "./workload.ts";

const startAt = 1_700_000_000_000;
const beatMs = 1_000;

export class CorePolicy implements Policy {
  readonly #scheduler = new Scheduler(1n);
  readonly #workers = new Map<string, SimulatedWorker>();
  readonly #shelfSize: number;
  readonly #tasks = new Map<string, SimulatedTask>();
  readonly #leases = new Map<SimulatedWorker, Lease>();
  #asks = 0;
  #revisions = 0n;
  #beatAt = 0;
  #now = 0;

  constructor(workers: readonly SimulatedWorker[], shelfSize: number) {
    this.#shelfSize = shelfSize;
    for (const worker of workers) this.#workers.set(worker.name, worker);
    this.#tell({ kind: "rebuilt" });
  }

  arrive(task: SimulatedTask, now: number): readonly Decision[] {
    this.#now = now;
    const spec = specOf(task);
    this.#tasks.set(taskKey(taskIdOf(spec)), task);
    this.#revisions += 1n;
    const stored = { spec, attempts: 0, lastFailure: undefined };
    return this.#tell({
      kind: "task-stored",
      task: stored,
      isBundled: false,
      revision: this.#revisions,
    });
  }

  finish(worker: SimulatedWorker, task: SimulatedTask, now: number): readonly Decision[] {
    this.#now = now;
    const lease = this.#leases.get(worker);
    if (lease?.spec === undefined) throw new RangeError(`${worker.name} holds no lease`);
    this.#leases.delete(worker);
    const id = taskIdOf(lease.spec);
    this.#tasks.delete(taskKey(id));
    return this.#tell({ kind: "outcome-seen", id, outcome: outcomeOf(lease, worker, task) });
  }

  ask(worker: SimulatedWorker, now: number): readonly Decision[] {
    this.#now = now;
    this.#asks += 1;
    return this.#tell({
      kind: "work-asked",
      ask: this.#asks,
      worker: worker.name as WorkerId,
      pool: defaultPool,
      slotsFree: 1,
      epochSeen: 1n,
      running: [],
      shelf: this.#shelfOf(worker),
    });
  }

  tick(now: number): readonly Decision[] {
    this.#now = now;
    const decisions = [...this.#tell({ kind: "tick" })];
    if (now < this.#beatAt) return decisions;
    this.#beatAt = now + beatMs;
    for (const worker of this.#workers.values()) decisions.push(...this.#beat(worker));
    return decisions;
  }

  #beat(worker: SimulatedWorker): readonly Decision[] {
    const running = this.#runningOf(worker);
    const info = {
      name: `workers/${worker.name}`,
      pool: defaultPool,
      state: running.length > 0 ? WorkerState.BUSY : WorkerState.READY,
      device: "simulated",
      model: "simulated",
      modelDigest: "00",
      slots: 1,
      running: running.length,
      heartbeatTime: undefined,
    };
    const id = worker.name as WorkerId;
    return this.#tell({ kind: "beat-heard", worker: id, pool: defaultPool, info, running });
  }

  #runningOf(worker: SimulatedWorker): LeasedTask[] {
    const lease = this.#leases.get(worker);
    if (lease?.spec === undefined || worker.task === undefined) return [];
    const { project, job, index, image } = lease.spec;
    const share = (this.#now - worker.startedAt) / worker.task.renderMs;
    const step = Math.min(1, share) * (image?.steps ?? 0);
    return [{ project, job, index, fence: lease.fence, step: Math.floor(step) }];
  }

  #tell(event: SchedulerEvent): readonly Decision[] {
    const decisions: Decision[] = [];
    for (const effect of this.#scheduler.step(event, startAt + this.#now)) {
      decisions.push(...this.#obey(effect));
    }
    return decisions;
  }

  #obey(effect: SchedulerEffect): readonly Decision[] {
    switch (effect.kind) {
      case "grant":
        return this.#starts(effect.worker, effect.leases);
      case "prewarm": {
        const adapter = adapterOf(effect.adapter.digest);
        return [{ kind: "prewarm", worker: this.#workerOf(effect.worker), adapter }];
      }
      case "answer-empty":
        return this.ask(this.#workerOf(effect.worker), this.#now);
      default:
        return [];
    }
  }

  #starts(name: WorkerId, leases: readonly Lease[]): Decision[] {
    const worker = this.#workerOf(name);
    return leases.map((lease): Decision => {
      const key = lease.spec === undefined ? "" : taskKey(taskIdOf(lease.spec));
      const task = this.#tasks.get(key);
      if (task === undefined) throw new RangeError(`a grant of an unknown task ${key}`);
      this.#leases.set(worker, lease);
      return { kind: "start", task, worker };
    });
  }

  #workerOf(name: WorkerId): SimulatedWorker {
    const worker = this.#workers.get(name);
    if (worker === undefined) throw new RangeError(`no worker ${name}`);
    return worker;
  }

  #shelfOf(worker: SimulatedWorker): Shelf {
    const items = worker.shelf.map(({ digest }) => ({
      digest,
      sizeBytes: BigInt(adapterBytes),
      tier: ShelfTier.DEVICE,
    }));
    return { items, deviceBytes: BigInt(adapterBytes * this.#shelfSize), rankBudget: 0 };
  }
}

/** Every task is a job of its own: nothing may be gained from jobs that are all alike. */
function specOf({ index, source, adapter, arrivedAt }: SimulatedTask): TaskSpec {
  const { width, height, steps } = source.shape;
  return {
    project: source.project,
    job: `j${index}`,
    index: 0,
    pool: defaultPool,
    image: { prompt: "a cup", width, height, steps, seed: 1n, loras: [] },
    createTime: new Date(startAt + arrivedAt),
    expireTime: undefined,
    stack: { adapters: [loraOf(adapter)] },
  };
}

function loraOf({ digest }: Adapter) {
  return { digest, weight: 1, rank: 16, sizeBytes: BigInt(adapterBytes) };
}

function outcomeOf(lease: Lease, worker: SimulatedWorker, { renderMs }: SimulatedTask): Outcome {
  const device = {
    seconds: BigInt(Math.floor(renderMs / 1_000)),
    nanos: (renderMs % 1_000) * 1_000_000,
  };
  const none = { seconds: 0n, nanos: 0 };
  const timings = {
    queue: none,
    textEncode: none,
    denoise: device,
    vaeDecode: none,
    encodeFile: none,
    upload: none,
    device,
  };
  const image = { key: "", sha256: "", sizeBytes: 0n, mediaType: "image/png", modelDigest: "00" };
  return {
    spec: lease.spec,
    kind: OutcomeKind.SUCCEEDED,
    image: { ...image, timings },
    worker: worker.name,
    fence: lease.fence,
    attempt: lease.attempt,
    endTime: new Date(startAt),
  };
}
