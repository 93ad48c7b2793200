/**
 * What a scheduler process hears of workers while it stands or leads. Mirrors
 * services/scheduler/src/beat-ears.ts.
 */
import type { Heartbeat, PoolId } from "@zfarm/contract";
import type { Proc } from "./kernel.ts";
import type { World } from "./world.ts";

export interface HeardBeat {
  readonly heartbeat: Heartbeat;
  readonly pool: PoolId;
  /** By the monotonic clock of the process. */
  readonly heardAt: number;
}

export class EarsModel {
  readonly #world: World;
  readonly #proc: Proc;
  readonly #last = new Map<string, HeardBeat>();
  #since: number;
  /** Breaks of the connection that were noticed. */
  #breaks: number;

  constructor(world: World, proc: Proc) {
    this.#world = world;
    this.#proc = proc;
    this.#since = proc.mono(world.kernel.now);
    this.#breaks = this.#countBreaks();
  }

  hear(heartbeat: Heartbeat, pool: PoolId): void {
    this.#noteBreaks();
    const name = heartbeat.worker?.name ?? "";
    this.#last.delete(name);
    this.#last.set(name, { heartbeat, pool, heardAt: this.#now });
  }

  /** From when on nothing was missed that matters to a new leader, and what was heard since. */
  recall(quietSince: number): { readonly from: number; readonly beats: readonly HeardBeat[] } {
    this.#noteBreaks();
    const now = this.#now;
    const since = this.#proc.isCutIn ? now : this.#since;
    const from = Math.min(now, Math.max(since, quietSince));
    return { from, beats: [...this.#last.values()].filter(({ heardAt }) => heardAt >= from) };
  }

  get #now(): number {
    return this.#proc.mono(this.#world.kernel.now);
  }

  #noteBreaks(): void {
    const breaks = this.#countBreaks();
    if (breaks === this.#breaks) return;
    this.#breaks = breaks;
    this.#since = this.#now;
  }

  #countBreaks(): number {
    return this.#world.broker.restarts + this.#proc.cuts;
  }
}
