/**
 * Workers without an engine: they ask, beat and publish outcomes over the real link, and draw
 * nothing. As with the real ones a slot is free again once the picture is drawn, while its outcome
 * is on its way, and no more is asked for while too many are. Many workers share one connection,
 * so that one process can be thousands of them.
 */
import type { Broker } from "@zfarm/broker";
import {
  defaultPool,
  errorTable,
  FarmError,
  imageKey,
  type Lease,
  type LeasedTask,
  limits,
  type Outcome,
  OutcomeKind,
  taskIdOf,
  type WorkerId,
  WorkerState,
  workerName,
} from "@zfarm/contract";
import { backoffMs, systemClock } from "@zfarm/runtime";

export interface FleetOptions {
  readonly broker: Pick<Broker, "link" | "outcomes">;
  readonly workers: number;
  readonly slots: number;
  /** Told of each lease when its grant arrives. */
  readonly onLease?: (lease: Lease) => void;
}

export interface Fleet {
  /** Resolves once every worker has asked for work. */
  readonly asking: Promise<void>;
  stop(): Promise<void>;
}

const sha256 = "0".repeat(64);
/** A picture's size; nothing is stored. */
const sizeBytes = 100_000n;

export function startFleet(options: FleetOptions): Fleet {
  const stop = new AbortController();
  const workers = Array.from({ length: options.workers }, (_, index) => {
    return new SimulatedWorker(`simulated-${index}` as WorkerId, options, stop.signal);
  });
  const running = [...workers.map((worker) => worker.work()), beat(workers, stop.signal)];
  return {
    asking: Promise.all(workers.map((worker) => worker.asking)).then(() => undefined),
    stop: async () => {
      stop.abort();
      await Promise.all(running);
    },
  };
}

/** Every worker once a beat, spread over it as they would be by their starts. */
async function beat(workers: readonly SimulatedWorker[], stop: AbortSignal): Promise<void> {
  const rounds = 50;
  for (let round = 0; !stop.aborted; round = (round + 1) % rounds) {
    for (let index = round; index < workers.length; index += rounds) workers[index]?.beat();
    await systemClock.sleep(limits.beatMs / rounds, stop);
  }
}

class SimulatedWorker {
  readonly #name: WorkerId;
  readonly #options: FleetOptions;
  readonly #stop: AbortSignal;
  /** What it has a lease for. Drawing takes no time, so all of it is being delivered. */
  readonly #held = new Map<bigint, LeasedTask>();
  readonly #firstAsk = Promise.withResolvers<void>();
  #epochSeen = 0n;
  #outdated = new AbortController();
  #roomMade = Promise.withResolvers<void>();

  constructor(name: WorkerId, options: FleetOptions, stop: AbortSignal) {
    this.#name = name;
    this.#options = options;
    this.#stop = stop;
    options.broker.link.onControl(name, ({ epoch, command }) => {
      if (epoch > this.#epochSeen) this.#epochSeen = epoch;
      if (command?.$case === "announce") this.#outdated.abort();
    });
    stop.addEventListener("abort", () => {
      this.#outdated.abort();
      this.#roomMade.resolve();
    });
  }

  get asking(): Promise<void> {
    return this.#firstAsk.promise;
  }

  async work(): Promise<void> {
    for (let failures = 0; !this.#stop.aborted; ) {
      await this.#room();
      const leases = await this.#ask();
      failures = leases === undefined ? failures + 1 : 0;
      if (leases === undefined) await systemClock.sleep(backoffMs(failures), this.#stop);
      for (const lease of leases ?? []) void this.#render(lease);
    }
  }

  beat(): void {
    const worker = {
      name: workerName(this.#name),
      pool: defaultPool,
      state: this.#slotsFree > 0 ? WorkerState.READY : WorkerState.BUSY,
      device: "cpu",
      model: "simulated",
      modelDigest: "00",
      slots: this.#options.slots,
      running: this.#held.size,
      heartbeatTime: new Date(),
    };
    this.#options.broker.link.beat({ worker, running: [...this.#held.values()] });
  }

  get #slotsFree(): number {
    return this.#held.size < limits.deliveriesMax ? this.#options.slots : 0;
  }

  async #room(): Promise<void> {
    while (this.#slotsFree < 1 && !this.#stop.aborted) {
      this.#roomMade = Promise.withResolvers();
      await this.#roomMade.promise;
    }
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

  /** Draws nothing, at once. */
  async #render(lease: Lease): Promise<void> {
    const { spec, fence } = lease;
    if (spec === undefined) return;
    this.#held.set(fence, { ...taskIdOf(spec), fence, step: 0 });
    this.#options.onLease?.(lease);
    await this.#options.broker.outcomes.publish(successOf(lease, this.#name));
    this.#held.delete(fence);
    this.#roomMade.resolve();
  }
}

function successOf({ spec, fence, attempt }: Lease, worker: string): Outcome {
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
      timings: undefined,
    },
    worker,
    fence,
    attempt,
    endTime: new Date(),
  };
}
