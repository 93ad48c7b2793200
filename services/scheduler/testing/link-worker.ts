/** A worker in real time, as far as a leader can tell: it beats, asks and obeys announcements. */
import type { Broker } from "@zfarm/broker";
import {
  defaultPool,
  FarmError,
  type Lease,
  limits,
  type WorkerId,
  WorkerState,
} from "@zfarm/contract";
import { backoffMs, systemClock } from "@zfarm/runtime";
import { listed } from "./drive-core.ts";

export class LinkWorker {
  readonly #name: WorkerId;
  readonly #broker: Broker;
  readonly #stop: AbortSignal;
  readonly #held: Lease[] = [];
  #epochSeen = 0n;
  /** Aborts when a newer leader makes itself known than the one that was asked. */
  #outdated = new AbortController();

  constructor(name: string, broker: Broker, stop: AbortSignal) {
    this.#name = name as WorkerId;
    this.#broker = broker;
    this.#stop = stop;
    broker.link.onControl(this.#name, ({ epoch, command }) => {
      this.#epochSeen = epoch;
      if (command?.$case === "announce") this.#outdated.abort();
    });
  }

  /** The first lease that any leader grants; it is held from then on. */
  async take(): Promise<Lease> {
    for (let failures = 0; ; failures += 1) {
      this.#outdated = new AbortController();
      const { signal } = this.#outdated;
      const lease = await this.#ask(signal);
      if (lease !== undefined) return lease;
      if (signal.aborted) failures = 0;
      const wake = AbortSignal.any([this.#stop, signal]);
      await systemClock.sleep(backoffMs(failures + 1), wake);
      this.#stop.throwIfAborted();
    }
  }

  /** Lists what is held, every beat, until stopped. */
  async beat(): Promise<void> {
    while (!this.#stop.aborted) {
      const worker = {
        name: `workers/${this.#name}`,
        pool: defaultPool,
        state: WorkerState.READY,
        device: "cpu",
        model: "nano",
        modelDigest: "00",
        slots: 1,
        running: this.#held.length,
      };
      this.#broker.link.beat({ worker, running: this.#held.map((lease) => listed(lease)) });
      await systemClock.sleep(limits.beatMs, this.#stop);
    }
  }

  async #ask(outdated: AbortSignal): Promise<Lease | undefined> {
    const running = this.#held.map((lease) => listed(lease));
    const asker = { worker: this.#name, pool: defaultPool, epochSeen: this.#epochSeen };
    try {
      const grant = await this.#broker.link.ask({ ...asker, slotsFree: 1, running }, outdated);
      this.#epochSeen = grant.epoch;
      this.#held.push(...grant.leases);
      return grant.leases[0];
    } catch (error) {
      if (outdated.aborted || FarmError.from(error).code === "NO_LEADER") return undefined;
      throw error;
    }
  }
}
