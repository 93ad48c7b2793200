/**
 * Starting more of what fails to start helps nobody: after a few failures within a window no more
 * workers are asked for, for a time that doubles, and for as long as so many go on failing.
 */
import { limits, type WorkerId } from "@zfarm/contract";
import type { FleetMember } from "./fleet.ts";

export class CrashGuard {
  readonly #failedAt: number[] = [];
  #crashing = new Set<WorkerId>();
  #freezes = 0;
  #frozenUntil = Number.NEGATIVE_INFINITY;

  /** Takes who fails to start now. */
  learn(members: readonly FleetMember[], now: number): void {
    const crashing = new Set<WorkerId>();
    for (const { worker, phase } of members) {
      if (phase !== "crashing") continue;
      crashing.add(worker);
      if (!this.#crashing.has(worker)) this.#failedAt.push(now);
    }
    this.#crashing = crashing;
    const { autoscaleCrashWindowMs, autoscaleCrashes } = limits;
    while ((this.#failedAt[0] ?? now) < now - autoscaleCrashWindowMs) this.#failedAt.shift();
    if (now < this.#frozenUntil) return;
    if (crashing.size === 0 && this.#failedAt.length === 0) this.#freezes = 0;
    // Those that still fail count however long ago they began: more of them help no more.
    const failures = Math.max(this.#failedAt.length, crashing.size);
    if (crashing.size === 0 || failures < autoscaleCrashes) return;
    const freezeMs = limits.autoscaleFreezeMs * 2 ** this.#freezes;
    this.#frozenUntil = now + Math.min(freezeMs, limits.autoscaleFreezeMsMax);
    this.#freezes += 1;
  }

  isFrozen(now: number): boolean {
    return now < this.#frozenUntil;
  }
}
