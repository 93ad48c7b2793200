/**
 * The workers of this machine, as many as are asked for. Nobody goes who was not chosen to, and a
 * name is given anew only after its worker was seen to be gone: whoever knew it forgets it then.
 */
import {
  type HandsReply,
  type HandsRequest,
  type LocalFleet,
  limits,
  type PoolId,
  parseWorkerId,
  type WorkerId,
} from "@zfarm/contract";
import { invariant } from "@zfarm/runtime";
import type { LocalWorker } from "./local-worker.ts";

export interface LocalWorkersOptions {
  readonly pool: PoolId;
  create(name: WorkerId): LocalWorker;
  /** Its process has ended, as it was told to. */
  readonly onGone?: (name: WorkerId) => void;
}

export type ScaleRequest = Extract<HandsRequest, { kind: "scale" }>;

export class LocalWorkers {
  readonly #options: LocalWorkersOptions;
  readonly #workers = new Map<WorkerId, LocalWorker>();
  /** Gone since the last observation. */
  readonly #unseen = new Set<WorkerId>();
  #target = 0;
  #state: "starting" | "open" | "stopping" = "starting";

  constructor(options: LocalWorkersOptions) {
    this.#options = options;
  }

  /** Starts the first ones; nothing else changes their number until `open`. */
  start(count: number): void {
    this.#target = count;
    this.#startMissing();
  }

  /** Resolves once the first ones are ready; rejects with the words of one that is not. */
  async ready(stop: AbortSignal): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.ready(stop)));
  }

  /** From now on their number may change. */
  open(): void {
    if (this.#state === "starting") this.#state = "open";
  }

  /** Stops all of them, and starts no more. */
  async stop(): Promise<void> {
    this.#state = "stopping";
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
  }

  /** What there is; no fleet before it is open, since nobody may change it then. */
  observe(): readonly LocalFleet[] {
    if (this.#state === "starting") return [];
    this.#unseen.clear();
    const members = [...this.#workers.values()].map((worker) => worker.describe());
    return [{ pool: this.#options.pool, target: this.#target, members }];
  }

  scale(request: ScaleRequest): HandsReply {
    const why = this.#refusal(request);
    if (why !== undefined) return { kind: "refused", reason: why };
    const { desired, target, victims } = request;
    const leaving = this.#staying().filter(({ name }) => victims.includes(name));
    const isAsSeen = target === this.#target && leaving.length === victims.length;
    if (!isAsSeen || victims.length !== Math.max(0, target - desired)) {
      return { kind: "scaled", result: "conflict" };
    }
    if (desired === target) return { kind: "scaled", result: "unchanged" };
    this.#target = desired;
    for (const worker of leaving) void this.#end(worker);
    this.#startMissing();
    return { kind: "scaled", result: "applied" };
  }

  #refusal({ pool, desired, target }: ScaleRequest): string | undefined {
    if (this.#state !== "open") return `the farm is ${this.#state}`;
    if (pool !== this.#options.pool) return `there is no pool ${pool} here`;
    const processes = this.#workers.size + Math.max(0, desired - target);
    if (processes <= limits.localWorkersMax) return undefined;
    return `at most ${limits.localWorkersMax} processes may run, those that stop among them`;
  }

  #staying(): LocalWorker[] {
    return [...this.#workers.values()].filter((worker) => !worker.isStopping);
  }

  #startMissing(): void {
    for (let here = this.#staying().length; here < this.#target; here += 1) {
      const name = this.#freeName();
      const worker = this.#options.create(name);
      this.#workers.set(name, worker);
      worker.start();
    }
  }

  async #end(worker: LocalWorker): Promise<void> {
    await worker.stop();
    this.#workers.delete(worker.name);
    this.#unseen.add(worker.name);
    this.#options.onGone?.(worker.name);
  }

  #freeName(): WorkerId {
    for (let number = 1; ; number += 1) {
      const name = parseWorkerId(`worker-${number}`);
      invariant(name !== undefined, "a number makes a name");
      if (!this.#workers.has(name) && !this.#unseen.has(name)) return name;
    }
  }
}
