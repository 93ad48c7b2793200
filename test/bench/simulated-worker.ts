/**
 * One worker without an engine: it asks, beats, obeys and publishes outcomes over the real link. As
 * with the real ones a slot is free again once the picture is drawn, while its outcome is on its
 * way, and no more is asked for while too many are.
 */
import type { Broker } from "@zfarm/broker";
import {
  type Control,
  defaultPool,
  errorTable,
  FarmError,
  imageKey,
  type Lease,
  type LeasedTask,
  limits,
  type Outcome,
  OutcomeKind,
  type TaskSpec,
  taskIdOf,
  type WorkerId,
  WorkerState,
  workerName,
} from "@zfarm/contract";
import { backoffMs, systemClock } from "@zfarm/runtime";

export interface SimulatedWorkerOptions {
  readonly broker: Pick<Broker, "link" | "outcomes">;
  readonly slots: number;
  /** How long a picture takes; absent: no time, and it is not measured. */
  readonly drawMs?: (spec: TaskSpec) => number;
  /** Told of each lease when its grant arrives. */
  readonly onLease?: (lease: Lease) => void;
}

const sha256 = "0".repeat(64);
/** A picture's size; nothing is stored. */
const sizeBytes = 100_000n;

export class SimulatedWorker {
  readonly #name: WorkerId;
  readonly #options: SimulatedWorkerOptions;
  readonly #stop: AbortSignal;
  readonly #unsubscribe: () => void;
  /** What it has a lease for, until its outcome is stored. */
  readonly #held = new Map<bigint, LeasedTask>();
  readonly #firstAsk = Promise.withResolvers<void>();
  #drawing = 0;
  #isAsking = false;
  #isDraining = false;
  #epochSeen = 0n;
  #outdated = new AbortController();
  #changed = Promise.withResolvers<void>();

  /** @param stop Aborts: it asks for nothing more, and drops what it holds. */
  constructor(name: WorkerId, options: SimulatedWorkerOptions, stop: AbortSignal) {
    this.#name = name;
    this.#options = options;
    this.#stop = stop;
    const { link } = options.broker;
    this.#unsubscribe = link.onControl(name, (control) => this.#obey(control));
    stop.addEventListener("abort", () => {
      this.#outdated.abort();
      this.#change();
    });
  }

  /** Resolves once it has asked for work. */
  get asking(): Promise<void> {
    return this.#firstAsk.promise;
  }

  /** Tasks that it holds. */
  get held(): number {
    return this.#held.size;
  }

  /** Until it is stopped. */
  async work(): Promise<void> {
    for (let failures = 0; !this.#stop.aborted; ) {
      await this.#until(() => this.#slotsFree > 0);
      if (this.#stop.aborted) break;
      this.#isAsking = true;
      const leases = await this.#ask();
      this.#isAsking = false;
      failures = leases === undefined ? failures + 1 : 0;
      if (leases === undefined) await systemClock.sleep(backoffMs(failures), this.#stop);
      for (const lease of leases ?? []) void this.#render(lease);
      this.#change();
    }
    this.#unsubscribe();
  }

  beat(): void {
    const worker = {
      name: workerName(this.#name),
      pool: defaultPool,
      state: this.#condition,
      device: "cpu",
      model: "simulated",
      modelDigest: "00",
      slots: this.#options.slots,
      running: this.#held.size,
      heartbeatTime: new Date(),
    };
    this.#options.broker.link.beat({ worker, running: [...this.#held.values()] });
  }

  /** Asks for nothing more; resolves once it holds nothing and is granted nothing. */
  async drain(): Promise<void> {
    this.#setDraining(true);
    await this.#until(() => this.#held.size === 0 && !this.#isAsking);
  }

  get #condition(): WorkerState {
    if (this.#isDraining) return WorkerState.DRAINING;
    return this.#slotsFree > 0 ? WorkerState.READY : WorkerState.BUSY;
  }

  get #slotsFree(): number {
    const delivering = this.#held.size - this.#drawing;
    if (this.#isDraining || delivering >= limits.deliveriesMax) return 0;
    return this.#options.slots - this.#drawing;
  }

  #obey({ epoch, command }: Control): void {
    if (epoch < this.#epochSeen) return;
    this.#epochSeen = epoch;
    if (command?.$case === "announce") this.#outdated.abort();
    if (command?.$case === "drain") this.#setDraining(true);
    if (command?.$case === "resume") this.#setDraining(false);
  }

  /** Said at once: the leader then answers the request that it still holds. */
  #setDraining(isDraining: boolean): void {
    this.#isDraining = isDraining;
    this.beat();
    this.#change();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#stop.aborted) await this.#changed.promise;
  }

  #change(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  /** Undefined where nobody answers. */
  async #ask(): Promise<readonly Lease[] | undefined> {
    this.#outdated = new AbortController();
    const request = {
      worker: this.#name,
      pool: defaultPool,
      epochSeen: this.#epochSeen,
      slotsFree: Math.min(this.#slotsFree, limits.batchTasksMax),
      running: [...this.#held.values()],
    };
    try {
      const asked = this.#options.broker.link.ask(request, this.#outdated.signal);
      this.#firstAsk.resolve();
      const { epoch, leases } = await asked;
      if (epoch > this.#epochSeen) this.#epochSeen = epoch;
      return leases;
    } catch (error) {
      if (this.#outdated.signal.aborted) return [];
      if (error instanceof FarmError && errorTable[error.code].retry) return undefined;
      throw error;
    }
  }

  async #render(lease: Lease): Promise<void> {
    const { spec, fence } = lease;
    const { onLease, broker } = this.#options;
    if (spec === undefined) return;
    const drawMs = this.#options.drawMs?.(spec);
    this.#held.set(fence, { ...taskIdOf(spec), fence, step: 0 });
    onLease?.(lease);
    if (drawMs !== undefined) await this.#draw(drawMs);
    if (this.#stop.aborted) return;
    await broker.outcomes.publish(successOf(lease, this.#name, drawMs));
    this.#held.delete(fence);
    this.#change();
  }

  async #draw(drawMs: number): Promise<void> {
    this.#drawing += 1;
    await systemClock.sleep(drawMs, this.#stop);
    this.#drawing -= 1;
    this.#change();
  }
}

function successOf({ spec, fence, attempt }: Lease, worker: string, drawMs?: number): Outcome {
  const key = spec === undefined ? "" : imageKey(taskIdOf(spec), fence);
  return {
    spec,
    kind: OutcomeKind.SUCCEEDED,
    image: {
      key,
      sha256,
      sizeBytes,
      mediaType: "image/png",
      modelDigest: "00",
      timings: drawMs === undefined ? undefined : timingsOf(drawMs),
    },
    worker,
    fence,
    attempt,
    endTime: new Date(),
  };
}

/** All of its time is the device's. */
function timingsOf(drawMs: number): NonNullable<Outcome["image"]>["timings"] {
  const seconds = Math.floor(drawMs / 1_000);
  const nanos = Math.round((drawMs - seconds * 1_000) * 1_000_000);
  return { device: { seconds: BigInt(seconds), nanos } };
}
