/** One worker of this machine, from when it was asked for until its process has ended. */
import { type LocalMember, limits, type WorkerId } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";

/** What keeps a worker's process running; asked to stop, it lets it finish. */
export interface WorkerProcess {
  start(): void;
  /** Resolves once it is ready; rejects with its own words if it ends before that. */
  ready(stop: AbortSignal): Promise<void>;
  isReady(): Promise<boolean>;
  stop(): Promise<void>;
}

export interface LocalWorkerNeeds {
  readonly name: WorkerId;
  readonly clock: Clock;
  /** Calls back whenever a process was started, the first one included. */
  readonly launch: (onStart: () => void) => WorkerProcess;
}

/** Between two looks at one that starts. */
const pollMs = 50;

export class LocalWorker {
  readonly name: WorkerId;
  readonly #clock: Clock;
  readonly #process: WorkerProcess;
  readonly #createdAt: number;
  readonly #gone = new AbortController();
  #watching: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined = undefined;
  #starts = 0;
  #startsUnready = 0;
  #isReady = false;
  #readyAt: number | undefined = undefined;

  constructor({ name, clock, launch }: LocalWorkerNeeds) {
    this.name = name;
    this.#clock = clock;
    this.#createdAt = clock.now();
    this.#process = launch(() => this.#started());
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  start(): void {
    this.#process.start();
    this.#watching = this.#watch();
  }

  ready(stop: AbortSignal): Promise<void> {
    return this.#process.ready(stop);
  }

  /** Resolves once it has finished and its process has ended. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  describe(): LocalMember {
    const readyAt = this.#readyAt;
    const seen = { worker: this.name, phase: this.#phase(), createdAt: this.#createdAt };
    // How long a start takes is not to be seen from a process that was started anew.
    return readyAt === undefined || this.#starts > 1 ? seen : { ...seen, readyAt };
  }

  #phase(): LocalMember["phase"] {
    if (this.isStopping) return "stopping";
    if (this.#isReady) return "ready";
    return this.#startsUnready >= limits.localStartsMax ? "crashing" : "starting";
  }

  #started(): void {
    this.#starts += 1;
    this.#startsUnready += 1;
    this.#isReady = false;
  }

  async #watch(): Promise<void> {
    while (!this.#gone.signal.aborted) {
      const looked = this.#starts;
      const isReady = await this.#process.isReady();
      // An answer of the process before says nothing of this one.
      if (looked === this.#starts) this.#seen(isReady);
      await this.#clock.sleep(this.#isReady ? limits.localProbeMs : pollMs, this.#gone.signal);
    }
  }

  #seen(isReady: boolean): void {
    this.#isReady = isReady;
    if (!isReady) return;
    this.#startsUnready = 0;
    this.#readyAt ??= this.#clock.now();
  }

  async #end(): Promise<void> {
    await this.#process.stop();
    this.#gone.abort();
    await this.#watching;
  }
}
