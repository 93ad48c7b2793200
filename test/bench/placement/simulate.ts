/**
 * A farm in virtual time: workers that render one picture after the other and hold a few adapters,
 * and a policy that says who renders what. Whatever the policy believes, what a start costs is
 * decided here, by what the worker really holds.
 */
import {
  type HeapMember,
  IndexedHeap,
} from "../../../services/scheduler/src/domain/indexed-heap.ts";
import { type Adapter, type SimulatedTask, type Source, Wishes } from "./workload.ts";

export interface SimulatedWorker {
  readonly index: number;
  readonly name: string;
  /** Adapters on the device, the one used last at the end. */
  readonly shelf: Adapter[];
  task: SimulatedTask | undefined;
  startedAt: number;
}

export type Decision =
  | { readonly kind: "start"; readonly task: SimulatedTask; readonly worker: SimulatedWorker }
  /** The worker is to load an adapter beside what it renders. */
  | { readonly kind: "prewarm"; readonly adapter: Adapter; readonly worker: SimulatedWorker };

/** Decides who renders what; told everything that happens, in order. */
export interface Policy {
  arrive(task: SimulatedTask, now: number): readonly Decision[];
  /** The worker has finished the task; it asks for more right after. */
  finish(worker: SimulatedWorker, task: SimulatedTask, now: number): readonly Decision[];
  ask(worker: SimulatedWorker, now: number): readonly Decision[];
  tick(now: number): readonly Decision[];
}

export interface Farm {
  readonly workers: number;
  readonly shelfSize: number;
  readonly coldLoadMs: number;
  readonly tickMs: number;
}

export interface Run {
  readonly farm: Farm;
  readonly sources: readonly Source[];
  readonly seed: number;
  /** What starts before this is not counted: shelves are empty at first. */
  readonly warmUpMs: number;
  readonly untilMs: number;
}

export interface Started {
  readonly task: SimulatedTask;
  readonly at: number;
  readonly waitedMs: number;
  /** Time the worker stood still for an adapter. */
  readonly loadMs: number;
}

export interface Record {
  readonly started: Started[];
  prewarms: number;
  refused: number;
}

interface Event extends HeapMember {
  readonly at: number;
  readonly sequence: number;
  readonly happen: () => void;
}

export function simulate(run: Run, createPolicy: (workers: SimulatedWorker[]) => Policy): Record {
  const simulation = new Simulation(run, createPolicy);
  simulation.play();
  return simulation.record;
}

class Simulation {
  readonly record: Record = { started: [], prewarms: 0, refused: 0 };
  readonly #run: Run;
  readonly #policy: Policy;
  readonly #workers: SimulatedWorker[];
  readonly #waiting = new Map<Source, number>();
  readonly #backlogs = new Map<Source, Wishes>();
  /** Adapters on their way, by worker; when they will be there. */
  readonly #loading = new Map<SimulatedWorker, Map<Adapter, number>>();
  readonly #events = new IndexedHeap<Event>(
    (one, other) => one.at < other.at || (one.at === other.at && one.sequence < other.sequence),
  );
  #now = 0;
  #sequence = 0;
  #tasks = 0;

  constructor(run: Run, createPolicy: (workers: SimulatedWorker[]) => Policy) {
    this.#run = run;
    this.#workers = Array.from({ length: run.farm.workers }, (_, index) => ({
      index,
      name: `w${index}`,
      shelf: [],
      task: undefined,
      startedAt: 0,
    }));
    this.#policy = createPolicy(this.#workers);
  }

  play(): void {
    for (const worker of this.#workers) this.#obey(this.#policy.ask(worker, 0));
    for (const [place, source] of this.#run.sources.entries()) {
      this.#open(new Wishes(source, this.#run.seed * 1_000 + place));
    }
    this.#tick();
    for (let next = this.#events.first; next !== undefined; next = this.#events.first) {
      if (next.at > this.#run.untilMs) return;
      this.#events.remove(next);
      this.#now = next.at;
      next.happen();
    }
  }

  #later(ms: number, happen: () => void): void {
    const sequence = this.#sequence++;
    this.#events.put({ at: this.#now + Math.round(ms), sequence, happen, slot: -1 });
  }

  #tick(): void {
    this.#obey(this.#policy.tick(this.#now));
    this.#later(this.#run.farm.tickMs, () => this.#tick());
  }

  #open(wishes: Wishes): void {
    const { arrivals } = wishes.source;
    if (arrivals.kind === "open") {
      this.#arriveNext(wishes, arrivals);
      return;
    }
    this.#backlogs.set(wishes.source, wishes);
    for (let count = 0; count < arrivals.tasks; count += 1) this.#arrive(wishes);
  }

  #arriveNext(wishes: Wishes, open: { perSecond: number; waitingMax: number }): void {
    this.#later(wishes.gapMs(open.perSecond), () => {
      const isFull = (this.#waiting.get(wishes.source) ?? 0) >= open.waitingMax;
      if (isFull) this.record.refused += 1;
      else this.#arrive(wishes);
      this.#arriveNext(wishes, open);
    });
  }

  #arrive(wishes: Wishes): void {
    const { source } = wishes;
    this.#waiting.set(source, (this.#waiting.get(source) ?? 0) + 1);
    this.#obey(this.#policy.arrive(wishes.next(this.#tasks++, this.#now), this.#now));
  }

  #obey(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      if (decision.kind === "start") this.#start(decision.worker, decision.task);
      else this.#prewarm(decision.worker, decision.adapter);
    }
  }

  #start(worker: SimulatedWorker, task: SimulatedTask): void {
    if (worker.task !== undefined) throw new RangeError(`${worker.name} renders already`);
    const loadMs = this.#loadMs(worker, task.adapter);
    this.#putOnShelf(worker, task.adapter);
    worker.task = task;
    worker.startedAt = this.#now;
    const { source, arrivedAt } = task;
    if (this.#now >= this.#run.warmUpMs) {
      this.record.started.push({ task, at: this.#now, waitedMs: this.#now - arrivedAt, loadMs });
    }
    this.#waiting.set(source, (this.#waiting.get(source) ?? 1) - 1);
    this.#later(loadMs + task.renderMs, () => this.#finish(worker, task));
    // After this step, so that a policy is never asked in the middle of a decision.
    const wishes = this.#backlogs.get(source);
    if (wishes !== undefined) this.#later(0, () => this.#arrive(wishes));
  }

  #finish(worker: SimulatedWorker, task: SimulatedTask): void {
    worker.task = undefined;
    this.#obey(this.#policy.finish(worker, task, this.#now));
    if (worker.task === undefined) this.#obey(this.#policy.ask(worker, this.#now));
  }

  #loadMs(worker: SimulatedWorker, adapter: Adapter): number {
    if (worker.shelf.includes(adapter)) return 0;
    const readyAt = this.#loading.get(worker)?.get(adapter);
    return readyAt === undefined ? this.#run.farm.coldLoadMs : Math.max(0, readyAt - this.#now);
  }

  #prewarm(worker: SimulatedWorker, adapter: Adapter): void {
    const loading = this.#loading.get(worker) ?? new Map<Adapter, number>();
    if (worker.shelf.includes(adapter) || loading.has(adapter)) return;
    if (this.#now >= this.#run.warmUpMs) this.record.prewarms += 1;
    const { coldLoadMs } = this.#run.farm;
    this.#loading.set(worker, loading.set(adapter, this.#now + coldLoadMs));
    this.#later(coldLoadMs, () => {
      if (loading.delete(adapter)) this.#putOnShelf(worker, adapter);
    });
  }

  #putOnShelf(worker: SimulatedWorker, adapter: Adapter): void {
    this.#loading.get(worker)?.delete(adapter);
    const { shelf } = worker;
    const place = shelf.indexOf(adapter);
    if (place >= 0) shelf.splice(place, 1);
    shelf.push(adapter);
    if (shelf.length > this.#run.farm.shelfSize) shelf.shift();
  }
}
