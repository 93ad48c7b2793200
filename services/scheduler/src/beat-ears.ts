/**
 * Hears heartbeats for as long as the process stands or leads, and keeps the last one of each
 * worker: a standby that begins to lead knows at once what it would else have to wait for.
 */
import type { WorkerLink } from "@zfarm/broker";
import { type Heartbeat, limits, type WorkerId } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import { readBeat } from "./check-message.ts";
import type { BeatHeard } from "./domain/scheduler-event.ts";

interface EarsNeeds {
  readonly link: Pick<WorkerLink, "onBeat" | "connectedSince">;
  readonly clock: Clock;
  readonly log: Log;
}

/** A heartbeat, and when it was heard, monotonic milliseconds. */
export interface KeptBeat {
  readonly beat: BeatHeard;
  readonly heardAt: number;
}

type Listener = (beat: BeatHeard) => void;

export class BeatEars {
  readonly #needs: EarsNeeds;
  readonly #openedAt: number;
  readonly #close: () => void;
  /** In the order they were heard: the oldest can be dropped from the front. */
  readonly #last = new Map<WorkerId, KeptBeat>();
  #listener: Listener = () => undefined;

  constructor(needs: EarsNeeds) {
    this.#needs = needs;
    this.#openedAt = needs.clock.monotonic();
    this.#close = needs.link.onBeat((heartbeat) => this.#hear(heartbeat));
  }

  /** Monotonic milliseconds: nothing that was sent since then was missed; Infinity: all is. */
  get since(): number {
    return Math.max(this.#openedAt, this.#needs.link.connectedSince);
  }

  /** The last heartbeat of each worker that was heard from `from` on, the oldest first. */
  heardFrom(from: number): KeptBeat[] {
    return [...this.#last.values()].filter(({ heardAt }) => heardAt >= from);
  }

  /** Passes every further heartbeat to the listener, until the answer is called. */
  tell(listener: Listener): () => void {
    this.#listener = listener;
    return () => {
      if (this.#listener === listener) this.#listener = () => undefined;
    };
  }

  close(): void {
    this.#close();
  }

  #hear(heartbeat: Heartbeat): void {
    const beat = readBeat(heartbeat);
    if (beat === undefined) {
      this.#needs.log.warn({ kind: "heartbeat" }, "unusable message ignored");
      return;
    }
    this.#keep(beat);
    this.#listener(beat);
  }

  /** What is older than a lease lives speaks of nothing that still holds. */
  #keep(beat: BeatHeard): void {
    const heardAt = this.#needs.clock.monotonic();
    this.#last.delete(beat.worker);
    this.#last.set(beat.worker, { beat, heardAt });
    for (const [worker, kept] of this.#last) {
      const isOver = kept.heardAt < heardAt - limits.leaseMs;
      if (!isOver && this.#last.size <= limits.workersMax) return;
      this.#last.delete(worker);
    }
  }
}
