/** How far a pool may go down now: a part of what it had when the step began. */
import { limits } from "@zfarm/contract";

interface Step {
  /** The next one comes no sooner. */
  readonly stepMs: number;
  readonly now: number;
}

export class StepDown {
  #from = 0;
  #beganAt = Number.NEGATIVE_INFINITY;

  /** The lowest number that this step allows. */
  floor(target: number, { stepMs, now }: Step): number {
    const isOver = now - this.#beganAt >= stepMs;
    this.#from = isOver ? target : Math.max(this.#from, target);
    const part = Math.max(1, Math.floor(this.#from * limits.autoscaleStepDown));
    return Math.min(target, this.#from - part);
  }

  /** Workers are taken away: a step begins unless one is under way. */
  begin({ stepMs, now }: Step): void {
    if (now - this.#beganAt >= stepMs) this.#beganAt = now;
  }
}
