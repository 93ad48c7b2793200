/** Since when the cluster cannot take workers that were asked for. */
import { limits } from "@zfarm/contract";
import type { FleetMember } from "./fleet.ts";

export class StuckGuard {
  #since: number | undefined = undefined;

  learn(members: readonly FleetMember[], now: number): void {
    const isStuck = members.some(({ phase }) => phase === "unschedulable");
    this.#since = isStuck ? (this.#since ?? now) : undefined;
  }

  /** A node may be on its way at first; later, asking for more only makes the queue longer. */
  isStuck(now: number): boolean {
    return this.#since !== undefined && now - this.#since > limits.autoscaleUnschedulableMs;
  }
}
