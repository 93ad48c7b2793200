/** What one could have instead: first come first served, and adapters tied to workers by hash. */
import { createHash } from "node:crypto";
import type { Decision, Policy, SimulatedWorker } from "./simulate.ts";
import type { SimulatedTask } from "./workload.ts";

/** One queue; whoever is idle takes the oldest task. */
export class FirstComeFirstServed implements Policy {
  readonly #waiting: SimulatedTask[] = [];
  readonly #idle: SimulatedWorker[] = [];

  arrive(task: SimulatedTask): readonly Decision[] {
    this.#waiting.push(task);
    return this.#match();
  }

  finish(): readonly Decision[] {
    return [];
  }

  ask(worker: SimulatedWorker): readonly Decision[] {
    this.#idle.push(worker);
    return this.#match();
  }

  tick(): readonly Decision[] {
    return [];
  }

  #match(): Decision[] {
    const [task] = this.#waiting;
    const [worker] = this.#idle;
    if (task === undefined || worker === undefined) return [];
    this.#waiting.shift();
    this.#idle.shift();
    return [{ kind: "start", task, worker }];
  }
}

/**
 * Each worker has a queue of its own, and an adapter's tasks go to the worker that comes first in
 * the adapter's order of workers (highest random weight). With a bound they go on to the next one
 * where the queue is `loadMax` times longer than the mean.
 */
export class StickyHashing implements Policy {
  readonly #queues = new Map<SimulatedWorker, SimulatedTask[]>();
  readonly #orders = new Map<string, SimulatedWorker[]>();
  readonly #loadMax: number;
  /** Tasks that wait or run. */
  #tasks = 0;

  constructor(workers: readonly SimulatedWorker[], loadMax = Number.POSITIVE_INFINITY) {
    this.#loadMax = loadMax;
    for (const worker of workers) this.#queues.set(worker, []);
  }

  arrive(task: SimulatedTask): readonly Decision[] {
    this.#tasks += 1;
    const most = Math.ceil((this.#loadMax * this.#tasks) / this.#queues.size);
    for (const worker of this.#orderOf(task.adapter.digest)) {
      const queue = this.#queues.get(worker) ?? [];
      if (queue.length + (worker.task === undefined ? 0 : 1) >= most) continue;
      queue.push(task);
      return this.#next(worker);
    }
    throw new RangeError("every queue is longer than the mean");
  }

  finish(): readonly Decision[] {
    this.#tasks -= 1;
    return [];
  }

  ask(worker: SimulatedWorker): readonly Decision[] {
    return this.#next(worker);
  }

  tick(): readonly Decision[] {
    return [];
  }

  #next(worker: SimulatedWorker): Decision[] {
    if (worker.task !== undefined) return [];
    const task = this.#queues.get(worker)?.shift();
    return task === undefined ? [] : [{ kind: "start", task, worker }];
  }

  #orderOf(digest: string): SimulatedWorker[] {
    let order = this.#orders.get(digest);
    if (order === undefined) {
      const weights = new Map<SimulatedWorker, string>();
      for (const worker of this.#queues.keys()) {
        const weight = createHash("sha256").update(`${digest} ${worker.name}`).digest("hex");
        weights.set(worker, weight);
      }
      const weightOf = (worker: SimulatedWorker): string => weights.get(worker) ?? "";
      order = [...weights.keys()].toSorted((one, other) =>
        weightOf(one) < weightOf(other) ? -1 : 1,
      );
      this.#orders.set(digest, order);
    }
    return order;
  }
}
