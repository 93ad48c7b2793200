/**
 * Workers without an engine that share one connection, so that one process can be thousands of
 * them. They may come and go one by one.
 */
import { limits, type WorkerId } from "@zfarm/contract";
import { invariant, systemClock } from "@zfarm/runtime";
import { SimulatedWorker, type SimulatedWorkerOptions } from "./simulated-worker.ts";

export interface FleetOptions extends SimulatedWorkerOptions {
  /** To begin with. */
  readonly workers: number;
}

/** Beats are spread over a beat's time, as they would be by the starts of the workers. */
const rounds = 50;

interface Running {
  readonly worker: SimulatedWorker;
  readonly round: number;
  readonly stop: AbortController;
  readonly work: Promise<void>;
}

export class Fleet {
  readonly #options: SimulatedWorkerOptions;
  readonly #running = new Map<string, Running>();
  readonly #rounds = Array.from({ length: rounds }, () => new Set<SimulatedWorker>());
  readonly #stop = new AbortController();
  readonly #beating: Promise<void>;
  #added = 0;

  constructor(options: SimulatedWorkerOptions) {
    this.#options = options;
    this.#beating = this.#beat();
  }

  /** How many there are. */
  get size(): number {
    return this.#running.size;
  }

  /** Resolves once every worker has asked for work. */
  get asking(): Promise<void> {
    const all = [...this.#running.values()].map(({ worker }) => worker.asking);
    return Promise.all(all).then(() => undefined);
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  /** Tasks that a worker holds; 0 of one that is not there. */
  held(name: string): number {
    return this.#running.get(name)?.worker.held ?? 0;
  }

  add(name: string): void {
    invariant(!this.has(name), `${name} is not there yet`);
    const round = this.#added % rounds;
    this.#added += 1;
    const stop = new AbortController();
    const worker = new SimulatedWorker(name as WorkerId, this.#options, stop.signal);
    this.#running.set(name, { worker, round, stop, work: worker.work() });
    this.#rounds[round]?.add(worker);
  }

  /** It finishes what it holds and goes, as a process does that is told to stop. */
  async dismiss(name: string): Promise<void> {
    await this.#running.get(name)?.worker.drain();
    await this.kill(name);
  }

  /** It is gone at once, with whatever it holds. */
  async kill(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) return;
    this.#running.delete(name);
    this.#rounds[running.round]?.delete(running.worker);
    running.stop.abort();
    await running.work;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#running.keys()].map((name) => this.kill(name)));
    await this.#beating;
  }

  async #beat(): Promise<void> {
    for (let round = 0; !this.#stop.signal.aborted; round = (round + 1) % rounds) {
      for (const worker of this.#rounds[round] ?? []) worker.beat();
      await systemClock.sleep(limits.beatMs / rounds, this.#stop.signal);
    }
  }
}

export function startFleet({ workers, ...options }: FleetOptions): Fleet {
  const fleet = new Fleet(options);
  for (let index = 0; index < workers; index += 1) fleet.add(`simulated-${index}`);
  return fleet;
}
